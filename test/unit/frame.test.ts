import assert from 'node:assert/strict'
import { readFile } from 'node:fs/promises'
import { test } from 'node:test'
import fc from 'fast-check'
import { ClusterError } from '../../node/errors.ts'
import { BodyPool, bodyPoolLimits } from '../../node/protocol/body-pool.ts'
import { decodePayload, encodePayload } from '../../node/protocol/codec.ts'
import {
  encodeFrame,
  type Frame,
  type FrameKind,
  FrameParser,
  frameHeaderBytes,
  frameKinds,
  frameLimits,
} from '../../node/protocol/frame.ts'
import { messages } from '../../node/protocol/messages.ts'

interface Example {
  readonly kind: FrameKind
  readonly messageId: number
  readonly requestId: number
  readonly deadlineMs: number
  readonly value: unknown
  readonly body: string
}

/** One frame of each kind; the bytes are in test/golden/wire. */
const examples: Readonly<Record<FrameKind, Example>> = {
  request: {
    kind: 'request',
    messageId: messages['read-shard'].id,
    requestId: 0x0102_0304,
    deadlineMs: 20_000,
    value: { blobId: 'b1', shardIndex: 5, generation: 2, firstCell: 0, cellCount: 16 },
    body: '',
  },
  reply: {
    kind: 'reply',
    messageId: messages['read-shard'].id,
    requestId: 0x0102_0304,
    deadlineMs: 0,
    value: { cellCount: 1 },
    body: 'c0ffee00112233',
  },
  error: {
    kind: 'error',
    messageId: messages['read-shard'].id,
    requestId: 0xffff_ffff,
    deadlineMs: 0,
    value: { code: 'ShardNotFound', message: 'no such shard', details: { blobId: 'b1', hint: undefined } },
    body: '',
  },
  oneWay: {
    kind: 'oneWay',
    messageId: messages.raft.id,
    requestId: 0,
    deadlineMs: 0,
    value: { payload: Buffer.from('00ff', 'hex') },
    body: '',
  },
  cancel: { kind: 'cancel', messageId: 0, requestId: 9, deadlineMs: 0, value: undefined, body: '' },
}

function bytesOf(example: Example): Buffer {
  const body = Buffer.from(example.body, 'hex')
  const head = encodeFrame(example, example.value, { bodyBytes: body.length, connection: 'bulk' })
  return Buffer.concat([head, body])
}

function parse(chunks: readonly Buffer[], owned = true): Frame[] {
  const frames: Frame[] = []
  const parser = new FrameParser('bulk', (frame) => frames.push(frame))
  for (const chunk of chunks) parser.push(chunk, { owned })
  assert.equal(parser.idle, true)
  return frames
}

function assertIs(frame: Frame | undefined, example: Example): void {
  assert.ok(frame)
  const { payload, body, release, ...header } = frame
  assert.equal(release === undefined, body === undefined)
  const { value, body: expectedBody, ...expectedHeader } = example
  assert.deepEqual(header, expectedHeader)
  assert.deepEqual(payload.length === 0 ? undefined : decodePayload(payload), value)
  assert.equal(body?.toString('hex') ?? '', expectedBody)
}

for (const kind of Object.keys(frameKinds) as FrameKind[]) {
  test(`the bytes of a ${kind} frame are the golden ones, written and read`, async () => {
    const text = await readFile(new URL(`../golden/wire/${kind}.hex`, import.meta.url), 'utf8')
    assert.equal(bytesOf(examples[kind]).toString('hex'), text.trim())
    assertIs(parse([Buffer.from(text.trim(), 'hex')])[0], examples[kind])
  })
}

test('frames come out the same however their bytes are cut', () => {
  const all = Object.values(examples)
  const bytes = Buffer.concat(all.map(bytesOf))
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 40 }),
      fc.boolean(),
      (cuts, owned) => {
        const edges = [0, ...cuts.sort((a, b) => a - b), bytes.length]
        const chunks = edges.slice(1).map((edge, i) => Buffer.from(bytes.subarray(edges[i], edge)))
        const frames: Frame[] = []
        const parser = new FrameParser('bulk', (frame) => frames.push(frame))
        for (const chunk of chunks) {
          parser.push(chunk, { owned })
          if (!owned) chunk.fill(0xee)
        }
        assert.equal(frames.length, all.length)
        for (const [i, example] of all.entries()) assertIs(frames[i], example)
      },
    ),
  )
})

test('a body can be received straight into its buffer', () => {
  const body = Buffer.from(Array.from({ length: 100_000 }, (_, i) => i % 251))
  const head = encodeFrame(
    { kind: 'reply', messageId: 8, requestId: 1, deadlineMs: 0 },
    { cellCount: 1 },
    { bodyBytes: body.length, connection: 'bulk' },
  )
  const frames: Frame[] = []
  const parser = new FrameParser('bulk', (frame) => frames.push(frame))
  assert.equal(parser.bodyTarget(), undefined)
  parser.push(head.subarray(0, head.length - 1), { owned: false })
  assert.equal(parser.bodyTarget(), undefined, 'the payload is not complete')
  parser.push(Buffer.concat([head.subarray(-1), body.subarray(0, 10)]), { owned: false })
  for (let at = 10; at < body.length; ) {
    const target = parser.bodyTarget()
    assert.ok(target)
    const count = Math.min(16_384, target.length)
    body.copy(target, 0, at, at + count)
    parser.bodyFilled(count)
    at += count
  }
  assert.equal(parser.bodyTarget(), undefined)
  assert.deepEqual(frames[0]?.body, body)
})

test('garbage is refused with BadMessage, and so is everything behind it', () => {
  const good = bytesOf(examples.reply)
  const unknownKind = Buffer.from(good)
  unknownKind[1] = 77
  for (const garbage of [Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'), Buffer.from('G'), unknownKind]) {
    const parser = new FrameParser('bulk', () => assert.fail('no frame was sent'))
    assert.throws(() => parser.push(garbage, { owned: true }), { code: 'BadMessage' })
    assert.throws(() => parser.push(good, { owned: true }), { code: 'BadMessage' })
  }
})

test('arbitrary bytes never yield anything but frames or BadMessage', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (tail) => {
      const parser = new FrameParser('bulk', (frame) => {
        try {
          if (frame.payload.length > 0) decodePayload(frame.payload)
        } catch (error) {
          assert.ok(error instanceof ClusterError && error.code === 'BadMessage')
        }
      })
      try {
        parser.push(Buffer.concat([Buffer.from([1, 1]), tail]), { owned: true })
      } catch (error) {
        assert.ok(error instanceof ClusterError && error.code === 'BadMessage')
      }
    }),
  )
})

test('frames over the bounds are refused by the sender and, from the header alone, by the receiver', () => {
  const header = { kind: 'request', messageId: 7, requestId: 1, deadlineMs: 0 } as const
  const over = frameLimits.bodyBytes.bulk + 1
  assert.throws(() => encodeFrame(header, {}, { bodyBytes: over, connection: 'bulk' }), {
    code: 'BadMessage',
  })
  const large = { payload: Buffer.alloc(frameLimits.payloadBytes) }
  assert.throws(() => encodeFrame(header, large, { bodyBytes: 0, connection: 'control' }), {
    code: 'BadMessage',
  })
  for (const offset of [8, 12]) {
    const head = Buffer.from(bytesOf(examples.request).subarray(0, frameHeaderBytes))
    head.writeUInt32LE(0xffff_ffff, offset)
    const parser = new FrameParser('bulk', () => assert.fail('no frame was sent'))
    assert.throws(() => parser.push(head, { owned: true }), { code: 'BadMessage' })
  }
})

test('the largest allowed frame passes', () => {
  const body = Buffer.alloc(frameLimits.bodyBytes.bulk, 9)
  const head = encodeFrame(
    { kind: 'reply', messageId: 8, requestId: 1, deadlineMs: 0 },
    { payload: Buffer.alloc(frameLimits.payloadBytes - 100) },
    { bodyBytes: body.length, connection: 'bulk' },
  )
  const [frame] = parse([head, body])
  assert.equal(frame?.body?.length, body.length)
  assert.ok(frame.body.equals(body))
})

test('plain data survives the codec', () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((key) => key !== '__proto__'),
        fc.oneof(
          fc.string(),
          fc.integer(),
          fc.maxSafeInteger(),
          // MessagePack integers have no negative zero.
          fc.double({ noNaN: true }).map((number) => (number === 0 ? 0 : number)),
          fc.boolean(),
          fc.constant(null),
          fc.constant(undefined),
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
          fc.array(fc.string(), { maxLength: 20 }),
        ),
        { maxKeys: 40 },
      ),
      (value) => {
        const plain = { ...value }
        const back = decodePayload(encodePayload(plain, 0))
        assert.deepEqual(back, plain)
      },
    ),
  )
})

test('payloads that announce more than they hold, or are not plain data, are refused before they cost memory', () => {
  const bad = {
    'array of four billion': 'ddffffffff',
    'map of four billion': 'dfffffffff',
    'string longer than the payload': 'dbffffffff61',
    'bytes longer than the payload': 'c410ab',
    'never-used token': 'c1',
    'regular expression extension': 'd57892a178a0',
    'record extension': 'd47240',
    'set extension': 'd4730091',
    timestamp: 'd6ff00000000',
    'trailing bytes': '8000',
    'cut off': 'cb0000',
    nothing: '',
  }
  for (const [name, hex] of Object.entries(bad)) {
    assert.throws(() => decodePayload(Buffer.from(hex, 'hex')), { code: 'BadMessage' }, name)
  }
  assert.throws(() => decodePayload(Buffer.alloc(1_000_000, 0x91)), { code: 'BadMessage' }, 'deep nesting')
})

test('many small payloads behind a large one do not keep it alive', () => {
  encodePayload({ payload: Buffer.alloc(4 * 1024 * 1024) }, 0)
  assert.ok(encodePayload({ small: 1 }, 0).buffer.byteLength <= 64 * 1024)
})

test('message ids are unique and fit the header', () => {
  const ids = Object.values(messages).map((spec) => spec.id)
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.every((id) => id > 0 && id <= 0xffff))
})

test('a released body buffer is used again, once, and never while somebody owns it', () => {
  const pool = new BodyPool()
  const first = pool.take(1_048_700)
  assert.equal(first.bytes.length, 1_048_700)
  const second = pool.take(1_048_700)
  assert.notEqual(first.bytes.buffer, second.bytes.buffer)
  first.release()
  first.release()
  const third = pool.take(1_048_600)
  assert.equal(third.bytes.buffer, first.bytes.buffer)
  assert.notEqual(pool.take(1_048_700).bytes.buffer, first.bytes.buffer)
})

test('a pool keeps a bounded number of idle bytes and wastes little of them', () => {
  const pool = new BodyPool()
  const length = 4 * 1024 * 1024 + 512
  const count = Math.ceil(bodyPoolLimits.idleBytes / length) + 5
  const taken = Array.from({ length: count }, () => pool.take(length))
  for (const body of taken) body.release()
  const before = new Set(taken.map((body) => body.bytes.buffer))
  const again = Array.from({ length: count }, () => pool.take(length))
  const reused = again.filter((body) => before.has(body.bytes.buffer))
  assert.ok(reused.length > 0 && reused.length * length <= bodyPoolLimits.idleBytes)
  for (const bytes of [32_768, 65_544, 1_048_584, 4_194_816]) {
    assert.ok(pool.take(bytes).bytes.buffer.byteLength <= bytes * 1.26)
  }
})
