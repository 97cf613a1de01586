/** Bytes that outlive the process or leave it: held by golden files, read back whatever was written. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'node:test'
import type { Entry, RaftMessage } from '../../node/core/raft-messages.ts'
import { ClusterError } from '../../node/errors.ts'
import {
  decodeCommand,
  decodeEntry,
  decodeMessages,
  decodeValue,
  encodeCommand,
  encodeEntry,
  encodeMessages,
  encodeValue,
  type GroupMessage,
} from '../../node/services/replica-codec.ts'
import { RequestRing, requestsRemembered } from '../../node/services/replica-requests.ts'

const members = [
  { nodeId: 'by-1', learner: false },
  { nodeId: 'hh-1', learner: true },
]

const entries: Entry[] = [
  { kind: 'noop', index: 8, term: 3 },
  { kind: 'command', index: 9, term: 3, data: Buffer.from('bytes of a command') },
  { kind: 'members', index: 10, term: 3, members },
]

const envelope = { from: 'by-1', to: 'hh-1', term: 2 ** 33 + 1 }
const messages: RaftMessage[] = [
  { type: 'vote', ...envelope, pre: true, transfer: false, lastIndex: 7, lastTerm: 2 },
  { type: 'voteReply', ...envelope, pre: false, granted: true },
  { type: 'append', ...envelope, prevIndex: 7, prevTerm: 2, entries, commit: 6 },
  { type: 'appendAccepted', ...envelope, match: 10 },
  { type: 'appendRejected', ...envelope, prevIndex: 7, hintIndex: 5, hintTerm: 1 },
  { type: 'heartbeat', ...envelope, commit: 6, round: 12 },
  { type: 'heartbeatReply', ...envelope, round: 12 },
  { type: 'timeoutNow', ...envelope },
  {
    type: 'snapshot',
    ...envelope,
    position: { index: 6, term: 2, members },
    transferId: '00ff',
    chunk: 3,
    last: true,
    rows: [{ key: 'r/x', value: Buffer.from([1, 2, 3]) }],
  },
  { type: 'snapshotReply', ...envelope, transferId: '00ff', nextChunk: 4 },
]
const frame: GroupMessage[] = messages.map((message) => ({ groupId: 'catalog-0', epoch: 4, message }))
const command = {
  requestId: 'r-1',
  actor: 'gw-1',
  leaderMs: undefined,
  command: { kind: 'put', key: 'ä', data: Buffer.from('x') },
}

/** Compares with test/golden/<name>; UPDATE_GOLDEN=1 writes files that do not exist yet, never others. */
function assertGolden(name: string, bytes: Uint8Array): void {
  const path = join(import.meta.dirname, '../golden', name)
  if (!existsSync(path) && process.env.UPDATE_GOLDEN === '1') writeFileSync(path, bytes)
  assert.equal(Buffer.from(bytes).toString('hex'), readFileSync(path).toString('hex'))
}

describe('the format of replicas', () => {
  test('of messages is the golden one and reads back', () => {
    assertGolden('raft-messages-1.bin', encodeMessages(frame))
    assert.deepEqual(decodeMessages(encodeMessages(frame)), frame)
  })

  test('of log entries is the golden one and reads back', () => {
    for (const entry of entries) {
      assertGolden(`raft-entry-${entry.kind}-1.bin`, encodeEntry(entry))
      assert.deepEqual(decodeEntry(entry.index, encodeEntry(entry)), entry)
    }
  })

  test('of commands is the golden one and reads back', () => {
    assertGolden('raft-command-1.bin', encodeCommand(command))
    assert.deepEqual(decodeCommand(encodeCommand(command)), command)
    const anonymous = { ...command, actor: undefined }
    assert.deepEqual(decodeCommand(encodeCommand(anonymous)), anonymous)
    const stamped = { ...command, leaderMs: 1_767_225_600_000 }
    assertGolden('raft-command-2.bin', encodeCommand(stamped))
    assert.deepEqual(decodeCommand(encodeCommand(stamped)), stamped)
  })

  test('of an unknown version is refused', () => {
    const bytes = encodeValue({ a: 1 })
    bytes[0] = 2
    const isBadMessage = (cause: unknown) => cause instanceof ClusterError && cause.code === 'BadMessage'
    assert.throws(() => decodeValue(bytes), isBadMessage)
  })

  test('that a peer mangled is refused and never half-read', () => {
    const isBadMessage = (cause: unknown) => cause instanceof ClusterError && cause.code === 'BadMessage'
    const mangled: unknown[] = [
      'text',
      [1],
      [
        {
          g: 'g',
          e: 1,
          m: { ...envelope, type: 'append', prevIndex: -1, prevTerm: 0, entries: [], commit: 0 },
        },
      ],
      [
        {
          g: 'g',
          e: 1,
          m: { ...envelope, type: 'append', prevIndex: 0.5, prevTerm: 0, entries: [], commit: 0 },
        },
      ],
      [
        {
          g: 'g',
          e: 1,
          m: { ...envelope, type: 'append', prevIndex: 0, prevTerm: 0, entries: [{ t: 1, k: 9 }], commit: 0 },
        },
      ],
      [{ g: 'g', e: 1, m: { ...envelope, term: '7', type: 'timeoutNow' } }],
      [{ g: 7, e: 1, m: { ...envelope, type: 'timeoutNow' } }],
    ]
    for (const value of mangled) assert.throws(() => decodeMessages(encodeValue(value)), isBadMessage)
    const whole = encodeMessages(frame)
    for (let length = 0; length < whole.length; length += 1) {
      assert.throws(() => decodeMessages(whole.subarray(0, length)), isBadMessage, `${length} bytes`)
    }
  })

  test('skips kinds of messages that a newer version has', () => {
    const bytes = encodeValue([
      { g: 'g', e: 1, m: { ...envelope, type: 'fromTheFuture' } },
      { g: 'g', e: 1, m: { ...envelope, type: 'timeoutNow', alsoNew: 1 } },
    ])
    assert.deepEqual(
      decodeMessages(bytes).map(({ message }) => message.type),
      ['timeoutNow'],
    )
  })
})

describe('the ring of remembered requests', () => {
  test('forgets a request after as many entries as it has slots, on every replica at the same index', () => {
    const ring = new RequestRing()
    ring.remember(5, 'a', 'reply')
    assert.ok(ring.find('a', 5 + requestsRemembered - 1) !== undefined)
    assert.equal(ring.find('a', 5 + requestsRemembered), undefined)
  })

  test('is the same when it is made from its rows', () => {
    const ring = new RequestRing()
    const rows = new Map<string, Uint8Array>()
    const remember = (index: number, requestId: string) => {
      const { key, value } = ring.remember(index, requestId, { index })
      if (value !== undefined) rows.set(key, value)
    }
    // The first is applied again after its time: both of its rows are there, in the order of slots.
    remember(9, 'again')
    for (let index = 10; index < 200; index += 1) remember(index, `r${index}`)
    remember(9 + requestsRemembered - 5, 'again')
    const restored = new RequestRing()
    for (const [, value] of [...rows].sort(([a], [b]) => (a < b ? -1 : 1))) restored.restore(value)
    const end = 9 + requestsRemembered - 4
    for (const requestId of ['again', 'r10', 'r42', 'r199', 'unknown']) {
      assert.equal(restored.find(requestId, end), ring.find(requestId, end), requestId)
    }
  })
})
