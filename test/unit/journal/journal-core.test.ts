import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import {
  batchCut,
  type CommittedEntry,
  encodeEvent,
  journalEvent,
  journalLimits,
} from '../../../node/core/journal.ts'
import {
  decodeBatchHead,
  decodeBody,
  decodeUserData,
  encodeBatchHead,
  encodeBody,
  encodeUserData,
  JournalFormatError,
} from '../../../node/core/journal-block.ts'
import { sha256Hex } from '../../../node/io/ledger-cipher.ts'
import { entries, entryAt, manifestOf, signerOf } from './fixtures.ts'

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()

describe('journal events', () => {
  it('name an inlined blob by its hash and never carry its bytes or the wrapped key', () => {
    const entry = entryAt(7)
    const event = text(encodeEvent(entry, sha256Hex))
    assert.ok(entry.command?.kind === 'put-version')
    const blob = entry.command.blobs[0]
    assert.ok(blob?.kind === 'inline')
    assert.ok(event.includes(sha256Hex(blob.data)))
    for (const secret of [blob.data, entry.command.version.dataKey.bytes]) {
      for (const form of ['hex', 'base64', 'latin1'] as const) {
        assert.ok(!event.includes(Buffer.from(secret).toString(form)))
      }
    }
    assert.ok(!event.includes('cam-7'), 'recording metadata stays out')
  })

  it('are equal for maps whose members arrived in another order', () => {
    const entry = entryAt(7)
    assert.ok(entry.command?.kind === 'put-version')
    const { version } = entry.command
    const user = { a: '1', b: '2' }
    const turned = { b: '2', a: '1' }
    const withUser = (map: Record<string, string>): CommittedEntry => ({
      ...entry,
      command: {
        ...(entry.command as typeof entry.command & { kind: 'put-version' }),
        version: { ...version, metadata: { system: {}, user: map } },
      },
    })
    assert.deepEqual(encodeEvent(withUser(user), sha256Hex), encodeEvent(withUser(turned), sha256Hex))
  })

  it('tell actor, request, place and identifiers of a put', () => {
    const event = journalEvent(entryAt(8), sha256Hex)
    assert.deepEqual(
      [event.kind, event.requestId, event.actor, event.key, event.bucketId, event.timeMs, event.ifNoneMatch],
      ['put-version', 'req-8', 'gw-1', 'k/8', 'b1', 1008, '*'],
    )
  })
})

describe('journal batches', () => {
  it('take at least one event and stop at either bound', () => {
    const big = new Uint8Array(journalLimits.batchBytesMax + 1)
    const small = new Uint8Array(10)
    assert.equal(batchCut([big, small]), 1)
    assert.equal(batchCut([small, big]), 1)
    assert.equal(
      batchCut(Array(2 * journalLimits.batchEntriesMax).fill(small)),
      journalLimits.batchEntriesMax,
    )
    assert.equal(batchCut([]), 0)
  })
})

describe('journal bytes', () => {
  it('come back from head, body and user data as they went in', () => {
    const events = entries(1, 6).map((entry) => encodeEvent(entry, sha256Hex))
    assert.deepEqual(decodeBody(encodeBody(events)).map(text), events.map(text))
    const head = {
      groupId: 'catalog-1',
      term: 3,
      sequence: 2,
      batch: 9,
      firstIndex: 40,
      lastIndex: 41,
      bodyHash: new Uint8Array(32).fill(1),
      commitments: [new Uint8Array(32).fill(2), new Uint8Array(32).fill(3)],
    }
    assert.deepEqual(decodeBatchHead(encodeBatchHead(head)), head)
    const previous = { key: 'ab'.repeat(32), length: 18, treeHash: 'cd'.repeat(32) }
    const { signers: _s, quorum: _q, ...manifest } = manifestOf([signerOf('a')], { previous, sequence: 1 })
    assert.deepEqual(decodeUserData(encodeUserData({ ...manifest, signers: [], quorum: 1 })), manifest)
  })

  it('are refused when cut short, lengthened, of another version or of another kind', () => {
    const body = encodeBody([Buffer.from('{}')])
    for (const bad of [
      body.subarray(0, body.length - 1),
      Buffer.concat([body, Buffer.alloc(1)]),
      Buffer.concat([Buffer.of(2), body.subarray(1)]),
      Buffer.alloc(0),
    ]) {
      assert.throws(() => decodeBody(bad), JournalFormatError)
    }
    assert.throws(() => decodeBatchHead(body), JournalFormatError)
    assert.throws(() => decodeUserData(body), JournalFormatError)
  })
})
