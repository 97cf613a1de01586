import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { test } from 'node:test'
import type { Payload } from '../../../gateway/auth/payload.ts'
import { gatewayLimits } from '../../../gateway/limits.ts'
import { announcedBytes, collectBody, type OpenEnd, UploadBody } from '../../../gateway/s3/body.ts'
import { WireBody } from '../../../gateway/s3/wire.ts'
import { ManualClock } from './manual-clock.ts'
import { codeOf, codeOfPromise } from './s3-error-of.ts'

interface Upload {
  readonly raw: IncomingMessage
  readonly wire: WireBody
  readonly clock: ManualClock
  readonly continues: () => number
  /** Sends bytes; undefined ends the message. */
  send(...chunks: (string | undefined)[]): void
  /** The client goes away in the middle. */
  tear(): void
}

function upload(queueBytesMax = 1000): Upload {
  const raw = new IncomingMessage(new Socket())
  const clock = new ManualClock()
  let continued = 0
  const wire = new WireBody(raw, {
    clock,
    idleMs: 1000,
    queueBytesMax,
    beforeFirstRead: () => {
      continued++
    },
  })
  return {
    raw,
    wire,
    clock,
    continues: () => continued,
    send: (...chunks) => {
      for (const chunk of chunks) {
        if (chunk === undefined) raw.complete = true
        raw.push(chunk === undefined ? null : Buffer.from(chunk))
      }
    },
    tear: () => raw.destroy(),
  }
}

const unsigned: Payload = { kind: 'unsigned' }

function bodyOf(
  at: Upload,
  bytes: number,
  {
    headers = {},
    payload = unsigned,
    openEnd,
  }: { headers?: Record<string, string>; payload?: Payload; openEnd?: OpenEnd } = {},
): UploadBody {
  return new UploadBody({
    wire: at.wire,
    headers,
    payload,
    bytes,
    limits: gatewayLimits,
    checksum: true,
    ...(openEnd === undefined ? {} : { openEnd }),
  })
}

async function read(body: UploadBody): Promise<{ text: string; md5: string; checksum: string | undefined }> {
  const chunks: Buffer[] = []
  for await (const chunk of body.chunks) chunks.push(chunk)
  const { md5, checksum } = await body.finish()
  return {
    text: Buffer.concat(chunks).toString(),
    md5,
    checksum: checksum && `${checksum.algorithm} ${checksum.value}`,
  }
}

const md5Hex = createHash('md5').update('hello').digest('hex')
const md5Base64 = createHash('md5').update('hello').digest('base64')
const sha256Hex = createHash('sha256').update('hello').digest('hex')

test('a body yields its bytes; without a checksum of the client CRC64NVME is kept, as AWS does', async () => {
  const at = upload()
  at.send('he', 'llo', undefined)
  const { text, md5, checksum } = await read(bodyOf(at, 5))
  assert.equal(text, 'hello')
  assert.equal(md5, md5Hex)
  assert.match(checksum ?? '', /^CRC64NVME /)
})

test('digests that match pass, each that does not is its own error', async () => {
  const verdict = async (headers: Record<string, string>, payload: Payload = unsigned) => {
    const at = upload()
    at.send('hello', undefined)
    return codeOfPromise((async () => read(bodyOf(at, 5, { headers, payload })))())
  }
  const crc32 = 'NhCmhg=='
  assert.equal(await verdict({ 'content-md5': md5Base64, 'x-amz-checksum-crc32': crc32 }), 'no error')
  assert.equal(await verdict({ 'content-md5': createHash('md5').update('x').digest('base64') }), 'BadDigest')
  assert.equal(await verdict({ 'content-md5': 'AAAA' }), 'InvalidDigest')
  assert.equal(await verdict({ 'x-amz-checksum-crc32': 'AAAAAA==' }), 'BadDigest')
  assert.equal(await verdict({}, { kind: 'hash', sha256: sha256Hex }), 'no error')
  assert.equal(await verdict({}, { kind: 'hash', sha256: '0'.repeat(64) }), 'XAmzContentSHA256Mismatch')
})

test('a torn body, a short one and a long one are errors, never a success', async () => {
  const torn = upload()
  const reading = codeOfPromise(read(bodyOf(torn, 5)))
  torn.send('he')
  torn.tear()
  assert.equal(await reading, 'IncompleteBody')
  const short = upload()
  short.send('he', undefined)
  assert.equal(await codeOfPromise(read(bodyOf(short, 5))), 'IncompleteBody')
  const long = upload()
  long.send('hello world', undefined)
  assert.equal(await codeOfPromise(read(bodyOf(long, 5))), 'IncompleteBody')
})

test('a client that sends nothing is given up only while the store waits', async () => {
  const at = upload()
  const body = bodyOf(at, 5)
  const chunks = body.chunks[Symbol.asyncIterator]()
  at.send('he')
  assert.equal((await chunks.next()).value?.toString(), 'he')
  at.clock.advance(5000)
  const waiting = codeOfPromise(chunks.next())
  at.clock.advance(999)
  at.send('l')
  assert.equal(await waiting, 'no error')
  const again = codeOfPromise(chunks.next())
  at.clock.advance(1000)
  assert.equal(await again, 'RequestTimeout')
})

test('the queue is bounded: the socket is paused when the store does not read', async () => {
  const at = upload(10)
  const body = bodyOf(at, 40)
  const chunks = body.chunks[Symbol.asyncIterator]()
  at.send('0123456789')
  await chunks.next()
  at.send('0123456789')
  await new Promise((resolve) => setImmediate(resolve))
  assert.equal(at.raw.isPaused(), true)
  at.send('0123456789', '0123456789', undefined)
  await chunks.next()
  assert.equal(at.wire.receivedBytes < 40, true)
  await chunks.next()
  await chunks.next()
  assert.equal((await chunks.next()).done, true)
})

test('100 Continue is sent when the store begins to read, once, and not before', async () => {
  const at = upload()
  const body = bodyOf(at, 5)
  assert.equal(at.continues(), 0)
  at.send('hel', 'lo', undefined)
  await read(body)
  assert.equal(at.continues(), 1)
})

test('an empty body needs no byte from the wire', async () => {
  const at = upload()
  const { text, md5 } = await read(bodyOf(at, 0))
  assert.equal(text, '')
  assert.equal(md5, createHash('md5').digest('hex'))
  assert.equal(at.wire.started, false)
})

test('a store that stops at the byte count still has the trailer read and verified', async () => {
  const chunked: Payload = { kind: 'chunked-unsigned', trailer: true }
  const headers = { 'x-amz-trailer': 'x-amz-checksum-crc32' }
  const verdict = async (trailer: string) => {
    const at = upload()
    at.send(`5\r\nhello\r\n`)
    const body = bodyOf(at, 5, { headers, payload: chunked })
    const chunks = body.chunks[Symbol.asyncIterator]()
    await chunks.next()
    const finished = codeOfPromise(body.finish())
    at.send(`0\r\n${trailer}\r\n`, undefined)
    return finished
  }
  assert.equal(await verdict('x-amz-checksum-crc32:NhCmhg==\r\n'), 'no error')
  assert.equal(await verdict('x-amz-checksum-crc32:AAAAAA==\r\n'), 'BadDigest')
  assert.equal(await verdict('x-amz-checksum-sha1:x\r\n'), 'MalformedTrailerError')
  assert.equal(await verdict(''), 'MalformedTrailerError')
})

test('the length must be announced, and within bounds', () => {
  const bounds = { bytesMax: 100, optional: false }
  const code = (headers: Record<string, string>, payload: Payload = unsigned) =>
    codeOf(() => announcedBytes(headers, payload, bounds))
  assert.equal(code({}), 'MissingContentLength')
  assert.equal(code({ 'transfer-encoding': 'chunked' }), 'MissingContentLength')
  assert.equal(code({ 'content-length': '100' }), 'no error')
  assert.equal(code({ 'content-length': '101' }), 'EntityTooLarge')
  const chunked: Payload = { kind: 'chunked-unsigned', trailer: true }
  assert.equal(code({ 'content-length': '10' }, chunked), 'MissingContentLength')
  assert.equal(
    code({ 'x-amz-decoded-content-length': '5', 'transfer-encoding': 'chunked' }, chunked),
    'no error',
  )
  assert.equal(announcedBytes({}, unsigned, { bytesMax: 1, optional: true }), 0)
})

test('a collected body is bounded before it is read', async () => {
  const at = upload()
  at.send('hello', undefined)
  assert.equal((await collectBody(bodyOf(at, 5), 5)).toString(), 'hello')
  assert.equal(await codeOfPromise(collectBody(bodyOf(upload(), 6), 5)), 'MaxMessageLengthExceeded')
})

test('a body that was released fails whoever still reads it and leaves no timer', async () => {
  const at = upload()
  const reading = codeOfPromise(read(bodyOf(at, 5)))
  await new Promise((resolve) => setImmediate(resolve))
  at.wire.release()
  assert.equal(await reading, 'IncompleteBody')
  assert.equal(at.clock.pending, 0)
})

test('a body with an open end yields what is sure, then its tail; the digests are those of both', async () => {
  const whole = 'hello world'
  const openEnd = { tailBytesMax: 20, bytesMin: 0, bytesMax: 100 }
  for (const sure of [0, 1, 5, 11]) {
    for (const pieces of [[whole], ['hello', ' wor', 'ld'], [...whole]]) {
      const at = upload()
      const headers = { 'content-md5': createHash('md5').update(whole).digest('base64') }
      at.send(...pieces, undefined)
      const body = bodyOf(at, sure, { headers, openEnd })
      const chunks: Buffer[] = []
      for await (const chunk of body.chunks) chunks.push(chunk)
      assert.equal(Buffer.concat(chunks).toString(), whole.slice(0, sure))
      assert.equal((await body.tail?.())?.toString(), whole.slice(sure))
      assert.equal((await body.finish()).md5, createHash('md5').update(whole).digest('hex'))
      assert.equal(body.receivedBytes, whole.length)
    }
  }
})

test('a body with an open end that is short, long or out of bounds is an error, and so is one whose tail was not read', async () => {
  const verdict = (sure: number, openEnd: OpenEnd, withTail = true) => {
    const at = upload()
    at.send('hello', undefined)
    const body = bodyOf(at, sure, { openEnd })
    const run = async () => {
      for await (const _ of body.chunks);
      if (withTail) await body.tail?.()
      await body.finish()
    }
    return codeOfPromise(run())
  }
  const bounds = { tailBytesMax: 5, bytesMin: 0, bytesMax: 5 }
  assert.equal(await verdict(2, bounds), 'no error')
  assert.equal(await verdict(2, bounds, false), 'IncompleteBody')
  assert.equal(await verdict(6, bounds), 'MalformedPOSTRequest')
  assert.equal(await verdict(1, { ...bounds, tailBytesMax: 3 }), 'IncompleteBody')
  assert.equal(await verdict(2, { ...bounds, bytesMin: 6 }), 'EntityTooSmall')
  assert.equal(await verdict(2, { ...bounds, bytesMax: 4 }), 'EntityTooLarge')
})
