/**
 * Engines with a fuse in front, one per process. Every operation of objects and catalog burns it, before
 * it takes effect and after; when it is burnt through, one of three things happens:
 *
 *   glitch   this one operation fails, perhaps after it took effect (an unknown outcome)
 *   crash    this and all later operations fail: the process is as good as dead, what it did so far stays
 *   stall    this operation, and what would follow it, waits until the process is told to go on
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';

export type FaultKind = 'glitch' | 'crash' | 'stall';

export class Fuse {
  #left = Infinity;
  #kind: FaultKind = 'glitch';
  #crashed = false;
  /** Of all that stands still. */
  readonly #resumes = new Set<() => void>();
  #reached = Promise.withResolvers<void>();

  get crashed(): boolean {
    return this.#crashed;
  }

  /** Resolves when something stands still. */
  get stalled(): Promise<void> {
    return this.#reached.promise;
  }

  /** Fails at the `steps`-th burn from now. */
  arm(kind: FaultKind, steps: number): void {
    this.#kind = kind;
    this.#left = steps;
  }

  disarm(): void {
    this.#left = Infinity;
  }

  /** What stood still goes on. */
  resume(): void {
    for (const resume of this.#resumes) resume();
    this.#resumes.clear();
    this.#reached = Promise.withResolvers<void>();
  }

  /** The process is dead from now on; what stood still finds out. */
  crash(): void {
    this.#crashed = true;
    this.resume();
  }

  async burn(): Promise<void> {
    this.#throwIfDead();
    this.#left--;
    if (this.#left > 0) return;
    this.#left = Infinity;
    if (this.#kind === 'stall') {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#resumes.add(resolve);
      this.#reached.resolve();
      await promise;
      this.#throwIfDead();
      return;
    }
    this.#crashed = this.#kind === 'crash';
    throw new FleetflameError('unavailable', `injected ${this.#kind}`);
  }

  #throwIfDead(): void {
    if (this.#crashed) throw new FleetflameError('unavailable', 'injected crash');
  }
}

/** Wraps every asynchronous method of an engine, and of what hangs on it. Closing it does nothing: others use it. */
function fused<T extends object>(engine: T, fuse: Fuse): T {
  return new Proxy(engine, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member === 'object' && member !== null) return fused(member, fuse);
      if (typeof member !== 'function') return member;
      if (name === 'close') return () => Promise.resolve();
      return async (...args: unknown[]): Promise<unknown> => {
        await fuse.burn();
        const result: unknown = await Reflect.apply(member, target, args);
        await fuse.burn();
        return result;
      };
    },
  });
}

export function fusedObjects(objects: ObjectStore, fuse: Fuse): ObjectStore {
  return fused(objects, fuse);
}

export function fusedCatalog(catalog: Catalog, fuse: Fuse): Catalog {
  return fused(catalog, fuse);
}
