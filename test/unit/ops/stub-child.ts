/** Stands in for a process of the federation: says ready (or not), then lives until it is told to end. */
const mode = process.argv[2] ?? 'ready'
if (mode === 'broken') {
  process.stderr.write('the disk is on fire\n')
  process.exit(3)
}
process.stdout.write('a line that is not JSON\n')
if (mode === 'ready') {
  process.stdout.write(`${JSON.stringify({ ready: true, admin: { host: '127.0.0.1', port: 4711 } })}\n`)
}
process.on('SIGTERM', () => process.exit(0))
setInterval(() => undefined, 60_000)
