import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { describe, it } from 'node:test'
import { JournalCipher, JournalSealError } from '../../../node/io/ledger-cipher.ts'
import { ownerKey } from './fixtures.ts'

const key = 'ab'.repeat(32)
const place = { batch: 3, firstIndex: 10, lastIndex: 12 }
const plaintext = Buffer.from('what happened')

describe('a sealed body', () => {
  it('has the same bytes on every replica, and no nonce twice for different contents', () => {
    const seal = (text: Buffer, position = place) => new JournalCipher(ownerKey, key).seal(position, text)
    assert.deepEqual(seal(plaintext), seal(plaintext))
    const nonces = [
      seal(plaintext),
      seal(Buffer.from('what happenee')),
      seal(plaintext, { ...place, lastIndex: 13 }),
    ]
    assert.equal(new Set(nonces.map((sealed) => sealed.subarray(2, 14).toString('hex'))).size, 3)
  })

  it('opens only with its key, in its journal, in its place, unchanged', () => {
    const cipher = new JournalCipher(ownerKey, key)
    const sealed = cipher.seal(place, plaintext)
    assert.deepEqual(cipher.open(place, sealed), plaintext)
    const changed = Buffer.from(sealed)
    changed[20] = (changed[20] ?? 0) ^ 1
    const failures = [
      () => cipher.open(place, changed),
      () => cipher.open({ ...place, batch: 4 }, sealed),
      () => cipher.open({ ...place, firstIndex: 9 }, sealed),
      () => new JournalCipher(ownerKey, 'cd'.repeat(32)).open(place, sealed),
      () => new JournalCipher(Buffer.alloc(32), key).open(place, sealed),
      () => cipher.open(place, sealed.subarray(0, 20)),
      () => cipher.open(place, Buffer.concat([Buffer.of(2), sealed.subarray(1)])),
    ]
    for (const open of failures) assert.throws(open, JournalSealError)
  })

  it('is committed to event by event: one salt opens one event', () => {
    const cipher = new JournalCipher(ownerKey, key)
    const events = ['one', 'two', 'three'].map((text) => Buffer.from(text))
    const commitments = cipher.commitments(10, events)
    for (const [at, event] of events.entries()) {
      const opened = hash('sha256', Buffer.concat([cipher.salt(10 + at), event]), 'buffer')
      assert.deepEqual(opened, commitments[at])
    }
    const salts = [10, 11, 12].map((index) => cipher.salt(index).toString('hex'))
    assert.equal(new Set(salts).size, 3)
  })
})
