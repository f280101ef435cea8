import type { Command } from 'commander';
import { printLine } from '../client/output.ts';
import { Config } from '../config/config.ts';
import { loadConfig, runServer, stopSignal } from '../server/run-server.ts';
import { CLUSTER_ROLES, type ClusterRole } from './cluster-roles.ts';

/** The service alone, on a store that other processes share. */
export function addRole(program: Command, role: ClusterRole): void {
  Config.addFlags(
    program.command(role).description(`one role of a cluster: ${CLUSTER_ROLES[role]}`),
    role,
  ).action(async (flags: Readonly<Record<string, unknown>>) => {
    const config = await loadConfig(role, flags);
    if (config === undefined) return;
    const { server, url, log } = await runServer(role, config);
    // Listened for before anybody can know that it is up.
    const stopped = stopSignal(log);
    printLine(`Fleetflame ${role} is up: ${url}`);
    await stopped;
    printLine('Stopping: answering what is underway ...');
    await server.close();
    printLine('Stopped.');
  });
}
