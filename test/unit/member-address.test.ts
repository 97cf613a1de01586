import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import type { MapNode } from '../../node/core/cluster-map.ts'
import { ed25519Verify, generateKeyPair, keyPairFromSeed } from '../../node/io/identity.ts'
import { addressBytes, type SignedAddress } from '../../node/protocol/address-record.ts'
import { encodePayload } from '../../node/protocol/codec.ts'
import type { MemberLink, MemberLinkListener } from '../../node/protocol/member-links.ts'
import { AddressBook } from '../../node/services/address-book.ts'
import { MemberService, memberLimits } from '../../node/services/member-service.ts'
import { realClock } from './member-fixture.ts'
import { mapNode } from './tls-world.ts'

const keys = { a: generateKeyPair(), b: generateKeyPair(), c: generateKeyPair() }
const here = { host: '127.0.0.1', port: 4_000 }

function bookOf(nodeId: keyof typeof keys, options: { hints?: boolean; without?: string } = {}) {
  const nodes = new Map<string, MapNode>()
  for (const [id, key] of Object.entries(keys)) if (id !== options.without) nodes.set(id, mapNode(id, key))
  const book = new AddressBook({
    federationId: 'f',
    nodeId,
    sign: keys[nodeId].sign,
    verify: ed25519Verify,
    nodeOf: (id) => nodes.get(id),
    ...(options.hints && { hints: { b: { host: 'hint', port: 1 } } }),
  })
  return { book, nodes }
}

function forged(record: SignedAddress, changes: Partial<SignedAddress>): SignedAddress {
  return { ...record, ...changes }
}

test('the signed bytes of an address are the golden ones', async () => {
  const golden = JSON.parse(await readFile(new URL('../golden/wire/address.json', import.meta.url), 'utf8'))
  const pair = keyPairFromSeed(Buffer.from(golden.seed, 'hex'))
  assert.equal(addressBytes(golden.record).toString('utf8'), golden.bytes)
  assert.equal(pair.sign(addressBytes(golden.record)), golden.signature)
})

test('a record of an admitted node is stored once, and replaced only by a newer one', () => {
  const { book } = bookOf('a')
  const { book: remote } = bookOf('b')
  const heard: number[] = []
  book.onNew((record) => heard.push(record.port))
  const first = remote.announce(here, 1_000)
  const second = remote.announce({ ...here, port: 4_001 }, 900)
  assert.ok(second.sequence > first.sequence, 'also when the clock went back')
  assert.equal(book.accept(second), 'new')
  assert.equal(book.accept(second), 'known')
  assert.equal(book.accept(first), 'known')
  assert.deepEqual(book.addressOf('b'), { ...here, port: 4_001 })
  assert.deepEqual(heard, [4_001])
})

test('records that are changed, wrongly signed, of strangers or of another federation are refused', () => {
  const { book } = bookOf('a', { without: 'c' })
  const record = bookOf('b').book.announce(here, 1_000)
  const bad = [
    forged(record, { port: 4_001 }),
    forged(record, { host: '10.0.0.1' }),
    forged(record, { sequence: 2_000 }),
    forged(record, { federationId: 'g' }),
    forged(record, { nodeId: 'a' }),
    forged(record, { signature: '00' }),
    forged(record, { port: 0 }),
    forged(record, { host: 'x y' }),
    bookOf('c').book.announce(here, 1_000),
    null,
    'text',
    {},
  ]
  for (const value of bad) assert.equal(book.accept(value), 'bad', JSON.stringify(value))
  assert.deepEqual(book.records(), [])
})

test('hints are used until a record is known, and records of removed nodes are not passed on', () => {
  const { book, nodes } = bookOf('a', { hints: true })
  assert.deepEqual(book.addressOf('b'), { host: 'hint', port: 1 })
  assert.equal(book.has('b'), false)
  book.accept(bookOf('b').book.announce(here, 1))
  assert.deepEqual(book.addressOf('b'), here)
  nodes.delete('b')
  assert.deepEqual(book.records(), [])
})

/** A member service whose links a test holds in its hands. */
function serviceOf(book: AddressBook) {
  let listener: MemberLinkListener | undefined
  const service = new MemberService({
    links: { listen: (l) => (listener = l), search: async () => undefined },
    book,
    clock: realClock,
    wanted: () => ['b', 'c'],
  })
  const link = (nodeId: string) => {
    const sent: Uint8Array[] = []
    let closed: Error | undefined
    const made: MemberLink = {
      nodeId,
      send: (bytes) => sent.push(bytes),
      close: (reason) => {
        closed = reason
      },
    }
    listener?.opened(made)
    return {
      sent,
      receive: (bytes: Uint8Array) => listener?.message(made, bytes),
      closedBy: () => closed?.message,
    }
  }
  return { service, link }
}

test('a new link gets all records, later ones get what is new, and what is known is not repeated', () => {
  const { book } = bookOf('a')
  book.announce(here, 1)
  const { service, link } = serviceOf(book)
  const toB = link('b')
  assert.equal(toB.sent.length, 1)
  const fromC = bookOf('c').book.announce(here, 5)
  const toC = link('c')
  toC.receive(encodePayload({ records: [fromC] }, 0))
  toC.receive(encodePayload({ records: [fromC] }, 0))
  assert.equal(toB.sent.length, 2, 'passed on once')
  assert.deepEqual(service.missing(), ['b'])
})

test('a link that sends garbage, or bad records without end, is cut', () => {
  const { book } = bookOf('a')
  const { link } = serviceOf(book)
  for (const garbage of [Buffer.from('x'), encodePayload({ records: 1 }, 0), encodePayload([], 0)]) {
    const one = link('b')
    one.receive(garbage)
    assert.match(String(one.closedBy()), /malformed/)
  }
  const many = link('c')
  many.receive(encodePayload({ records: Array.from({ length: 3 }, () => ({})) }, 0))
  assert.equal(many.closedBy(), undefined)
  const records = Array.from({ length: memberLimits.badRecordsMax }, () => ({}))
  many.receive(encodePayload({ records }, 0))
  assert.match(String(many.closedBy()), /bad/)
})
