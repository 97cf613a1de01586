import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { journalLimits } from '../../../node/core/journal.ts'
import {
  decodeReply,
  decodeRequest,
  encodeMessage,
  type JournalReply,
  type JournalRequest,
} from '../../../node/services/journal-messages.ts'
import { manifestOf, signerOf } from './fixtures.ts'

const previous = { key: 'ab'.repeat(32), length: 4, treeHash: 'cd'.repeat(32) }
const manifest = manifestOf(['a', 'b', 'c'].map(signerOf), { sequence: 1, previous })

const requests: JournalRequest[] = [
  { kind: 'collect', term: 3 },
  { kind: 'history', sequence: -1, batches: 0 },
  { kind: 'sign', term: 3, manifest, start: 2, certificate: 'abcd', lastIndexes: [7, 9] },
]

const replies: JournalReply[] = [
  { kind: 'promise', position: { manifest, stored: 2, pending: [7] } },
  { kind: 'promise', position: undefined },
  {
    kind: 'history',
    journals: [{ manifest, stored: 2, certificate: 'ab', start: 0, lastIndexes: [3, 7] }],
  },
  { kind: 'signature', signature: 'ef'.repeat(64) },
  { kind: 'stored' },
  { kind: 'refused', why: 'fork', detail: 'its link leaves out co-signed blocks' },
]

describe('sign-journal payloads', () => {
  it('come back as they went in', () => {
    for (const request of requests) assert.deepEqual(decodeRequest(encodeMessage(request)), request)
    for (const reply of replies) assert.deepEqual(decodeReply(encodeMessage(reply)), reply)
  })

  it('are refused with BadMessage when malformed, of another format, or over a bound', () => {
    const sign = { kind: 'sign', term: 3, manifest, start: 2, lastIndexes: [7] }
    const many = Array(journalLimits.pendingBatchesMax + 1).fill(1)
    const bad: unknown[] = [
      undefined,
      [],
      { kind: 'erase' },
      { ...sign, term: -1 },
      { ...sign, term: 1.5 },
      { ...sign, lastIndexes: many },
      { ...sign, lastIndexes: [Number.MAX_SAFE_INTEGER + 1] },
      { ...sign, certificate: 'xyz' },
      { ...sign, manifest: { ...manifest, signers: ['ab'] } },
      { ...sign, manifest: { ...manifest, previous: { key: 'ab' } } },
      { ...sign, manifest: undefined },
    ]
    for (const value of bad) {
      const payload = Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify(value) ?? 'undefined')])
      assert.throws(() => decodeRequest(payload), { code: 'BadMessage' }, JSON.stringify(value))
    }
    const ofNext = encodeMessage({ kind: 'collect', term: 1 })
    ofNext[0] = 2
    assert.throws(() => decodeRequest(ofNext), { code: 'BadMessage' })
    assert.throws(() => decodeReply(new Uint8Array(0)), { code: 'BadMessage' })
  })

  it('of a newer version with unknown fields and reasons are understood as far as known', () => {
    const payload = Buffer.concat([
      Buffer.of(1),
      Buffer.from(JSON.stringify({ kind: 'refused', why: 'tired', detail: 'x', since: 7 })),
    ])
    assert.deepEqual(decodeReply(payload), { kind: 'refused', why: 'unready', detail: 'x' })
  })
})
