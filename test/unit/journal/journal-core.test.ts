import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import type { CatalogCommand } from '../../../node/core/catalog-types.ts'
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

  it('tell what became of a version, by whose clock, and of tags only the hash', () => {
    const at = { bucketId: 'b1', key: 'k', versionId: 'f1', nowMs: 5 }
    const amend = { kind: 'amend-version', ...at, amendId: 'a2', afterAmendId: 'a1' } as const
    const retention = { untilMs: 9, mode: 'GOVERNANCE' } as const
    const commands: CatalogCommand[] = [
      { kind: 'delete-version', ...at, bypassGovernance: true, conditions: { ifMatchBytes: 3 } },
      { ...amend, change: { kind: 'retention', retention } },
      { ...amend, change: { kind: 'legal-hold', on: false }, bypassGovernance: true },
      { ...amend, change: { kind: 'tags', tags: { fall: '4711' } } },
      { ...amend, change: { kind: 'acl', acl: null } },
      {
        kind: 'delete-object',
        bucketId: 'b1',
        key: 'k',
        nowMs: 5,
        conditions: {},
        markerId: 'd1',
        ownerId: 'u',
      },
      {
        kind: 'set-write-rules',
        bucketId: 'b1',
        rules: { revision: 2, versioning: 'Enabled', objectLock: {} },
      },
    ]
    const lines = commands.map((command, index) => {
      const entry: CommittedEntry = { index, term: 1, kind: 'command', requestId: 'r', leaderMs: 7, command }
      return text(encodeEvent(entry, sha256Hex))
    })
    const head = (index: number, kind: string) => {
      return `{"index":${index},"term":1,"kind":"${kind}","requestId":"r","leaderMs":7,"bucketId":"b1"`
    }
    const version = '"key":"k","versionId":"f1","timeMs":5'
    const ids = '"amendId":"a2","afterAmendId":"a1"'
    const tagsHash = sha256Hex(Buffer.from('{"fall":"4711"}'))
    assert.deepEqual(lines, [
      `${head(0, 'delete-version')},${version},"bypassGovernance":true,"ifMatchBytes":3}`,
      `${head(1, 'amend-version')},${version},${ids},"change":"retention","retention":{"mode":"GOVERNANCE","untilMs":9}}`,
      `${head(2, 'amend-version')},${version},"bypassGovernance":true,${ids},"change":"legal-hold","on":false}`,
      `${head(3, 'amend-version')},${version},${ids},"change":"tags","tagsSha256":"${tagsHash}"}`,
      `${head(4, 'amend-version')},${version},${ids},"change":"acl","acl":null}`,
      `${head(5, 'delete-object')},"key":"k","timeMs":5,"markerId":"d1","ownerId":"u"}`,
      `${head(6, 'set-write-rules')},"rules":{"objectLock":{},"revision":2,"versioning":"Enabled"}}`,
    ])
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
