/**
 * Preloaded into every child of the local federation (`--import`): when the parent is gone, however it ended,
 * the child's standard input ends, and the child stops itself. Without it a `kill -9` of `npm start` would leave
 * a dozen processes on the machine.
 */

/** A child that has not stopped by then is stuck in its shutdown. */
const graceMs = 10_000

function stop(): void {
  process.kill(process.pid, 'SIGTERM')
  setTimeout(() => process.kill(process.pid, 'SIGKILL'), graceMs).unref()
}

process.stdin.once('end', stop)
process.stdin.once('error', stop)
process.stdin.resume()
// The pipe must not keep a process alive that has nothing else to do. Its type says tty or file; a pipe is a socket.
if ('unref' in process.stdin && typeof process.stdin.unref === 'function') process.stdin.unref()
