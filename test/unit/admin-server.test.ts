import assert from 'node:assert/strict'
import { afterEach, test } from 'node:test'
import { AdminServer } from '../../node/io/admin-server.ts'
import { Metrics, wireMetrics } from '../../node/metrics.ts'

let server: AdminServer | undefined
afterEach(() => server?.close())

async function start(prepare: (server: AdminServer, metrics: Metrics) => void = () => undefined) {
  const metrics = new Metrics({ process: 'node', nodeId: 'by-1', version: '0.1.0' })
  server = new AdminServer({ registry: metrics.registry })
  prepare(server, metrics)
  const { port } = await server.listen({ host: '127.0.0.1', port: 0 })
  return (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
}

test('metrics are served with build info and event-loop lag, in the format that Prometheus reads', async () => {
  const get = await start()
  const response = await get('/metrics')
  assert.match(String(response.headers.get('content-type')), /^text\/plain; version=0\.0\.4/)
  const text = await response.text()
  assert.match(text, /^bundescloud_build_info\{process="node",node="by-1",version="0\.1\.0",runtime="v\d+/m)
  assert.match(text, /^# TYPE bundescloud_event_loop_lag_seconds gauge/m)
  assert.match(text, /^process_cpu_seconds_total /m)
})

test('a process is healthy before it is ready, and ready when every check passes', async () => {
  let broken = true
  const get = await start((admin) => {
    admin.addCheck('map', async () => undefined)
    admin.addCheck('registry', async () => {
      if (broken) throw new Error('no leader')
    })
  })
  assert.equal((await get('/healthz')).status, 200)
  const before = await get('/readyz')
  assert.equal(before.status, 503)
  assert.deepEqual(await before.json(), {
    status: 'not ready',
    failing: [{ name: 'registry', reason: 'no leader' }],
  })
  broken = false
  const after = await get('/readyz')
  assert.equal(after.status, 200)
  assert.deepEqual(await after.json(), { status: 'ready', failing: [] })
})

test('routes answer JSON, unknown paths 404, and nothing but GET is served', async () => {
  const get = await start((admin) => admin.addRoute('/status', async () => ({ nodes: 6 })))
  assert.deepEqual(await (await get('/status')).json(), { nodes: 6 })
  assert.equal((await get('/nothing')).status, 404)
  const { url } = await get('/status')
  assert.equal((await fetch(url, { method: 'POST', body: '{}' })).status, 404)
})

test('a table of metrics shows every series from the start and refuses labels that are not in it', async () => {
  const get = await start((_admin, metrics) => {
    const wire = metrics.table(wireMetrics)
    wire.add('bundescloud_peer_refused_total', 2, 'revoked')
    wire.set('bundescloud_map_epoch', 7)
    assert.throws(() => wire.add('bundescloud_peer_refused_total', 1, 'because'), /no label/)
    assert.throws(() => wire.add('bundescloud_peer_refused_total', 1), /no label/)
    assert.throws(() => wire.set('bundescloud_map_epoch', 1, 'x'), /no label/)
    metrics.funnel()
    metrics.peers(() => [
      { nodeId: 'by-2', up: true, rttMs: 2 },
      { nodeId: 'he-1', up: false, rttMs: 5 },
    ])
  })
  const text = await (await get('/metrics')).text()
  assert.match(text, /^bundescloud_peer_refused_total\{reason="revoked"\} 2$/m)
  assert.match(text, /^bundescloud_peer_refused_total\{reason="unadmitted"\} 0$/m)
  assert.match(text, /^bundescloud_map_epoch 7$/m)
  assert.match(text, /^bundescloud_peer_requests_total\{message="raft",outcome="ok"\} 0$/m)
  assert.match(text, /^bundescloud_peer_up\{peer="by-2"\} 1$/m)
  assert.match(text, /^bundescloud_peer_up\{peer="he-1"\} 0$/m)
  assert.match(text, /^bundescloud_peer_round_trip_seconds\{peer="by-2"\} 0\.002$/m)
  assert.doesNotMatch(text, /round_trip_seconds\{peer="he-1"\}/)
})
