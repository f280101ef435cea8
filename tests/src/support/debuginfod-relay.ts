/**
 * Runs inside of a network namespace: a debuginfod, which listens on every address, and a UNIX socket that leads to it.
 * Arguments: the socket, then debuginfod's own.
 */
import { spawn } from 'node:child_process';
import { connect, createServer } from 'node:net';

const [socket = '', ...args] = process.argv.slice(2);
const PORT = 8002;
const child = spawn('debuginfod', ['-p', String(PORT), '-d', ':memory:', ...args], { stdio: 'inherit' });
child.once('exit', () => process.exit(1));
for (const signal of ['SIGTERM', 'SIGINT', 'disconnect'] as const) {
  process.on(signal, () => {
    child.kill('SIGKILL');
    process.exit(0);
  });
}
const relay = createServer((incoming) => {
  const outgoing = connect(PORT, '127.0.0.1');
  incoming.pipe(outgoing).pipe(incoming);
  incoming.on('error', () => outgoing.destroy());
  outgoing.on('error', () => incoming.destroy());
});
relay.listen(socket, () => process.send?.('listening'));
