import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { test } from 'node:test'
import { bytesText, collectStatus, renderStatus } from '../../../ops/cli/status.ts'

const answer = {
  nodeId: 'by-1',
  site: 'by-muenchen',
  operatorId: 'by',
  groups: [
    { groupId: 'catalog-1', role: 'leader', term: 3, leaderId: 'by-1', commitIndex: 9, appliedIndex: 9 },
    { groupId: 'registry', role: 'follower', term: 3, leaderId: 'nw-1', commitIndex: 2, appliedIndex: 2 },
  ],
  shards: { count: 7, bytes: 7_000_000, freeBytes: 2e12 },
  peers: [{ nodeId: 'nw-1', up: false, rttMs: null }],
  repair: {},
  degraded: { '0': 40, '2': 3 },
}

test('status shows living and dead nodes, leaders, capacity and degraded objects', async (t) => {
  const server = createServer((_, response) => response.end(JSON.stringify(answer)))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  const adminUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const status = await collectStatus({
    endpoint: 'http://127.0.0.1:9000',
    region: 'eu-central-1',
    users: [],
    kmsKeyNames: [],
    gateway: { pid: 1, adminUrl },
    nodes: [
      { id: 'by-1', operator: 'by', site: 'by-muenchen', pid: 2, adminUrl },
      { id: 'nw-1', operator: 'nw', site: 'nw-duesseldorf', pid: 3, adminUrl: 'http://127.0.0.1:1' },
    ],
  })
  assert.deepEqual(status.leaders, { 'catalog-1': 'by-1', registry: null })
  assert.deepEqual(
    status.nodes.map((node) => [node.id, node.up]),
    [
      ['by-1', true],
      ['nw-1', false],
    ],
  )
  assert.equal(status.capacity.usedBytes, 7_000_000)
  const text = renderStatus(status)
  assert.match(text, /nw-duesseldorf +nw-1 +DOWN/)
  assert.match(text, /registry: NO LEADER/)
  assert.match(text, /3 degraded objects: 2 shard\(s\) missing/)
  assert.doesNotMatch(text, /40 degraded/)
})

test('bytes are shown in powers of ten', () => {
  assert.deepEqual([0, 999, 1_500, 262_144, 2e12].map(bytesText), [
    '0 B',
    '999 B',
    '1.5 kB',
    '262 kB',
    '2.0 TB',
  ])
})
