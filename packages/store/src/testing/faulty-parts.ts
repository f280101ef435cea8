/**
 * The real engines with a fuse in front. Every operation of objects and catalog burns it, before it
 * takes effect and after; when it is burnt through, one of two things happens:
 *
 *   glitch   this one operation fails, perhaps after it took effect (an unknown outcome)
 *   crash    this and all later operations fail: the process is as good as dead, what it did so far stays
 */
import { FleetflameError } from '@fleetflame/profile';
import type { Catalog } from '../catalog/catalog.ts';
import type { ObjectStore } from '../objects/object-store.ts';

export class Fuse {
  #left = Infinity;
  #kind: 'glitch' | 'crash' = 'glitch';
  #crashed = false;

  get crashed(): boolean {
    return this.#crashed;
  }

  /** Fails at the `steps`-th burn from now. */
  arm(kind: 'glitch' | 'crash', steps: number): void {
    this.#kind = kind;
    this.#left = steps;
  }

  disarm(): void {
    this.#left = Infinity;
  }

  burn(): void {
    if (!this.#crashed) {
      this.#left--;
      if (this.#left > 0) return;
      this.#left = Infinity;
      this.#crashed = this.#kind === 'crash';
    }
    throw new FleetflameError('unavailable', `injected ${this.#kind}`);
  }
}

/** Wraps every asynchronous method of an engine. */
function fused<T extends object>(engine: T, fuse: Fuse): T {
  return new Proxy(engine, {
    get(target, name): unknown {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member === 'object' && member !== null) return fused(member, fuse);
      if (typeof member !== 'function') return member;
      if (name === 'close') return member.bind(target);
      return async (...args: unknown[]): Promise<unknown> => {
        fuse.burn();
        const result: unknown = await Reflect.apply(member, target, args);
        fuse.burn();
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
