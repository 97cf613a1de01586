/** What HTTP itself must do: early errors, unread bodies, torn answers, bounds. Against a gateway in this process. */
import assert from 'node:assert/strict'
import { connect, type Socket } from 'node:net'
import { test } from 'node:test'
import { ClusterError } from '../../node/errors.ts'
import { ManualClock } from '../unit/s3/manual-clock.ts'
import { assertError, completeDocument, createUpload, putObject, putPart } from './ask.ts'
import { alice, type LocalGateway, region, startLocalGateway } from './harness.ts'
import { readUntilClosed, type SendOptions, signRequest, tag } from './s3-client.ts'

type Context = { after(run: () => unknown): void }

async function start(t: Context, options: Parameters<typeof startLocalGateway>[0] = {}) {
  const gateway = await startLocalGateway(options)
  t.after(() => {
    // Open connections of a test that failed must not hold the gateway open.
    for (const socket of sockets.splice(0)) socket.destroy()
    return gateway.close()
  })
  const s3 = gateway.client()
  assert.equal((await s3.send({ method: 'PUT', path: '/bucket' })).status, 200)
  return { gateway, s3 }
}

/** The head of a request as bytes; `extra` lines are not signed. */
function head(
  gateway: LocalGateway,
  options: SendOptions,
  extra: Readonly<Record<string, string>> = {},
): string {
  const { headers } = signRequest(options, { host: 'localhost', port: gateway.port, region }, alice)
  const lines = Object.entries({ ...headers, ...extra }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${options.method ?? 'GET'} ${options.path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

const sockets: Socket[] = []

function dial(gateway: LocalGateway): Socket {
  const socket = connect({ host: '127.0.0.1', port: gateway.port })
  sockets.push(socket)
  return socket
}

/** Resolves with what has arrived once `pattern` is in it. */
function arrival(socket: Socket, pattern: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      if (pattern.test(text)) resolve(text)
    })
    socket.on('close', () => reject(new Error(`closed after: ${text}`)))
  })
}

const unsigned = { payload: 'UNSIGNED-PAYLOAD' }

test('a client that expects 100 Continue is told to go on, and its upload succeeds', async (t) => {
  const { gateway } = await start(t)
  const socket = dial(gateway)
  const options = { method: 'PUT', path: '/bucket/k', ...unsigned }
  socket.write(head(gateway, options, { expect: '100-continue', 'content-length': '5' }))
  await arrival(socket, /^HTTP\/1\.1 100 Continue\r\n\r\n$/)
  const answer = arrival(socket, /HTTP\/1\.1 200 OK[\s\S]*\r\n\r\n/)
  socket.write('hello')
  await answer
})

test('expectations that nobody knows are ignored', async (t) => {
  const { gateway } = await start(t)
  for (const expect of ['200', '']) {
    const socket = dial(gateway)
    const options = { method: 'PUT', path: '/bucket/k', ...unsigned }
    socket.write(`${head(gateway, options, { expect, 'content-length': '5' })}hello`)
    assert.match(await arrival(socket, /\r\n\r\n/), /^HTTP\/1\.1 200 OK/)
  }
})

test('a client that expects 100 Continue learns of a refusal without sending its body', async (t) => {
  const { gateway, s3 } = await start(t)
  await putObject(s3, '/bucket/taken')
  const cases: readonly (readonly [SendOptions, Record<string, string>, RegExp])[] = [
    [{ method: 'PUT', path: '/none-such/k', ...unsigned }, {}, /404 Not Found[\s\S]*NoSuchBucket/],
    [{ method: 'PUT', path: '/bucket/k', ...unsigned }, { authorization: 'AWS4-HMAC-SHA256 x' }, /400 Bad/],
    [
      { method: 'PUT', path: '/bucket/taken', headers: { 'if-none-match': '*' }, ...unsigned },
      {},
      /412 [\s\S]*PreconditionFailed/,
    ],
    [
      { method: 'PUT', path: '/bucket/k', headers: { 'x-amz-tagging': 'a=1&a=2' }, ...unsigned },
      {},
      /400 [\s\S]*InvalidArgument/,
    ],
    [
      { method: 'PUT', path: '/bucket/k?partNumber=1&uploadId=x', ...unsigned },
      {},
      /404 [\s\S]*NoSuchUpload/,
    ],
  ]
  for (const [options, late, expected] of cases) {
    const socket = dial(gateway)
    const text = readUntilClosed(socket)
    socket.write(head(gateway, options, { ...late, expect: '100-continue', 'content-length': '1000000' }))
    const answer = await text
    assert.match(answer, expected)
    assert.ok(!answer.includes('100 Continue'))
    assert.match(answer, /connection: close/i)
  }
})

test('a small body that nobody read is drained and the connection serves on', async (t) => {
  const { gateway } = await start(t)
  const socket = dial(gateway)
  const body = 'x'.repeat(50_000)
  const refused = { method: 'PUT', path: '/none-such/k', ...unsigned }
  const first = arrival(socket, /NoSuchBucket[\s\S]*<\/Error>/)
  socket.write(head(gateway, refused, { 'content-length': String(body.length) }) + body)
  await first
  const second = arrival(socket, /200 OK[\s\S]*ListAllMyBucketsResult/)
  socket.write(head(gateway, { path: '/' }))
  await second
})

test('a client that sends a large body into a refusal still reads the error', async (t) => {
  const { gateway } = await start(t)
  const socket = dial(gateway)
  const text = readUntilClosed(socket)
  const size = 8_000_000
  const refused = { method: 'PUT', path: '/none-such/k', ...unsigned }
  socket.write(head(gateway, refused, { 'content-length': String(size) }))
  for (let sent = 0; sent < size; sent += 100_000) {
    const more = socket.write(Buffer.alloc(100_000))
    if (!more) await new Promise((resolve) => socket.once('drain', resolve))
  }
  assert.match(await text, /404 Not Found[\s\S]*NoSuchBucket/)
})

test('a refused body that never ends is cut off after a bounded time', async (t) => {
  const clock = new ManualClock()
  const { gateway } = await start(t, { clock: manual(clock) })
  const socket = dial(gateway)
  const text = readUntilClosed(socket)
  const refused = { method: 'PUT', path: '/none-such/k', ...unsigned }
  socket.write(head(gateway, refused, { 'content-length': '100000000' }))
  await arrival(socket, /<\/Error>/)
  clock.advance(60_000)
  assert.match(await text, /NoSuchBucket/)
})

test('an upload that is torn stores nothing', async (t) => {
  const { gateway, s3 } = await start(t)
  const socket = dial(gateway)
  socket.write(
    `${head(gateway, { method: 'PUT', path: '/bucket/k', ...unsigned }, { 'content-length': '100' })}half`,
  )
  await until(async () => (await requests(gateway)).inFlight === 1)
  socket.destroy()
  await until(async () => (await requests(gateway)).inFlight === 0)
  assert.equal((await s3.send({ method: 'HEAD', path: '/bucket/k' })).status, 404)
  assert.match((await requests(gateway)).text, /operation="PutObject",code="IncompleteBody"} 1/)
})

test('an upload that stands still is ended with RequestTimeout', async (t) => {
  const clock = new ManualClock()
  const { gateway } = await start(t, { clock: manual(clock) })
  const socket = dial(gateway)
  const answer = readUntilClosed(socket)
  const options = { method: 'PUT', path: '/bucket/k', ...unsigned }
  socket.write(`${head(gateway, options, { 'content-length': '100' })}half`)
  await until(async () => clock.pending > 0)
  clock.advance(60_000)
  assert.match(await answer, /400 Bad Request[\s\S]*RequestTimeout/)
})

test('a store that fails before the first byte is an error answer, after it a torn connection', async (t) => {
  const { gateway, s3 } = await start(t)
  await putObject(s3, '/bucket/k', Buffer.alloc(8_000_000))
  gateway.federation.faults = {
    onRead: () => {
      throw new ClusterError('ReadQuorumUnavailable', 'too few shards')
    },
  }
  const early = await s3.send({ path: '/bucket/k' })
  assertError(early, 503, 'ServiceUnavailable')
  assert.ok(early.headers['retry-after'])
  gateway.federation.faults = {
    onRead: (offset) => {
      if (offset > 4_000_000) throw new ClusterError('ReadQuorumUnavailable', 'too few shards')
    },
  }
  await assert.rejects(s3.send({ path: '/bucket/k' }), /torn|hang up|reset/)
})

test('a write that cannot reach its quorum is 503 with Retry-After; a bug is 500 without its text', async (t) => {
  const { gateway, s3 } = await start(t)
  gateway.federation.faults = {
    onCommit: () => {
      throw new ClusterError('WriteQuorumUnavailable', 'site down')
    },
  }
  const refused = await s3.send({ method: 'PUT', path: '/bucket/k', body: 'x' })
  assertError(refused, 503, 'ServiceUnavailable')
  assert.ok(refused.headers['retry-after'])
  gateway.federation.faults = {
    onCommit: () => {
      throw new ClusterError('Internal', 'secret inside')
    },
  }
  const broken = await s3.send({ method: 'PUT', path: '/bucket/k', body: 'x' })
  assertError(broken, 500, 'InternalError')
  assert.ok(!broken.text.includes('secret'))
  assert.equal((await s3.send({ method: 'HEAD', path: '/bucket/k' })).status, 404)
})

test('more requests than the bound are answered SlowDown with Retry-After', async (t) => {
  const { gateway, s3 } = await start(t, { limits: { requestsInFlightMax: 1 } })
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  gateway.federation.faults = { onCommit: () => held }
  const first = s3.send({ method: 'PUT', path: '/bucket/k', body: 'x' })
  await until(async () => (await requests(gateway)).inFlight === 1)
  const second = await s3.send({ path: '/' })
  assertError(second, 503, 'SlowDown')
  assert.ok(second.headers['retry-after'])
  release()
  assert.equal((await first).status, 200)
  assert.equal((await s3.send({ path: '/' })).status, 200)
})

test('a slow reader grows no queue: the store is asked for the next bytes only when the last were taken', async (t) => {
  const { gateway, s3 } = await start(t)
  const size = 64_000_000
  await putObject(s3, '/bucket/k', Buffer.alloc(size))
  let read = 0
  gateway.federation.faults = {
    onRead: (offset) => {
      read = offset
    },
  }
  const socket = dial(gateway)
  socket.once('readable', () => socket.pause())
  socket.write(head(gateway, { path: '/bucket/k' }))
  await until(async () => read > 0)
  let before = -1
  await until(async () => {
    const stands = before === read
    before = read
    return stands
  })
  socket.destroy()
  assert.ok(read < size / 2, `${read} bytes were read for a reader that took nothing`)
})

test('a reader that goes away stops the reading', async (t) => {
  const { gateway, s3 } = await start(t)
  await putObject(s3, '/bucket/k', Buffer.alloc(20_000_000))
  let read = 0
  gateway.federation.faults = {
    onRead: (offset) => {
      read = offset
    },
  }
  const socket = dial(gateway)
  socket.pause()
  socket.write(head(gateway, { path: '/bucket/k' }))
  await until(async () => read > 0)
  socket.destroy()
  await until(async () => (await requests(gateway)).inFlight === 0)
  assert.ok(read < 19_000_000)
})

test('a slow completion keeps the connection alive with white space, and puts an error into the body', async (t) => {
  const clock = new ManualClock()
  const { gateway } = await start(t, { clock: manual(clock), federation: { partBytesMin: 1 } })
  const s3 = gateway.client()
  const send = (options: SendOptions) => s3.send(options)
  for (const fails of [false, true]) {
    const created = await send({ method: 'POST', path: '/bucket/k?uploads=' })
    const uploadId = tag(created.text, 'UploadId') ?? ''
    const part = await send({ method: 'PUT', path: `/bucket/k?partNumber=1&uploadId=${uploadId}`, body: 'x' })
    let release = (): void => undefined
    const held = new Promise<void>((resolve) => {
      release = resolve
    })
    let waiting = false
    gateway.federation.faults = {
      onCommit: async () => {
        waiting = true
        await held
        if (fails) throw new ClusterError('WriteQuorumUnavailable', 'no majority')
      },
    }
    const body = completeDocument([part.headers.etag ?? ''])
    const answer = send({ method: 'POST', path: `/bucket/k?uploadId=${uploadId}`, body })
    await until(async () => waiting)
    clock.advance(35_000)
    release()
    const { status, text } = await answer
    gateway.federation.faults = {}
    assert.equal(status, 200)
    assert.match(text, /^<\?xml[^>]*>\s {2}/)
    assert.match(text, fails ? /<Error><Code>ServiceUnavailable/ : /<CompleteMultipartUploadResult/)
  }
})

test('a bucket can be named by the host', async (t) => {
  const { gateway, s3 } = await start(t)
  await putObject(s3, '/bucket/a%20b', 'x')
  const host = `bucket.s3.localhost:${gateway.port}`
  const got = await s3.send({ path: '/a%20b', headers: { host } })
  assert.equal(got.text, 'x')
  const listed = await s3.send({ path: '/?list-type=2', headers: { host } })
  assert.match(listed.text, /<Key>a b<\/Key>/)
  const uploadId = await createUpload(s3, '/bucket/up')
  const etag = await putPart(s3, '/bucket/up', { uploadId, partNumber: 1, body: 'x' })
  const done = await s3.send({
    method: 'POST',
    path: `/up?uploadId=${uploadId}`,
    headers: { host },
    body: completeDocument([etag]),
  })
  assert.equal(tag(done.text, 'Location'), `http://${host}/up`)
})

test('too many bytes of headers are refused, and what is not HTTP loses its connection', async (t) => {
  const { gateway } = await start(t)
  const large = dial(gateway)
  const answer = readUntilClosed(large)
  large.write(head(gateway, { path: '/' }, { 'x-padding': 'x'.repeat(20_000) }))
  assert.match(await answer, /400 Bad Request[\s\S]*RequestHeaderSectionTooLarge/)
  const noise = dial(gateway)
  const reply = readUntilClosed(noise)
  noise.write('\x16\x03\x01 nonsense\r\n\r\n')
  assert.match(await reply, /400 Bad Request/)
})

test('closing lets running requests end and asks clients to leave', async () => {
  const gateway = await startLocalGateway()
  const s3 = gateway.client()
  await s3.send({ method: 'PUT', path: '/bucket' })
  let release = (): void => undefined
  const held = new Promise<void>((resolve) => {
    release = resolve
  })
  gateway.federation.faults = { onCommit: () => held }
  const running = s3.send({ method: 'PUT', path: '/bucket/k', body: 'x' })
  await until(async () => (await requests(gateway)).inFlight === 1)
  const closed = gateway.app.close()
  await new Promise((resolve) => setImmediate(resolve))
  release()
  const answer = await running
  assert.equal(answer.status, 200)
  assert.equal(answer.headers.connection, 'close')
  await closed
  s3.close()
  gateway.federation.close()
})

test('requests are counted once by operation and outcome, with durations and bytes', async (t) => {
  const { gateway, s3 } = await start(t)
  await putObject(s3, '/bucket/secret-name', 'hello')
  await s3.send({ path: '/bucket/secret-name' })
  await s3.send({ path: '/bucket/none' })
  await s3.send({ path: '/bucket/k?acl&policy' })
  const { text, inFlight } = await requests(gateway)
  assert.match(text, /bundescloud_s3_requests_total{operation="PutObject",code="OK"} 1/)
  assert.match(text, /bundescloud_s3_requests_total{operation="GetObject",code="OK"} 1/)
  assert.match(text, /bundescloud_s3_requests_total{operation="GetObject",code="NoSuchKey"} 1/)
  assert.match(text, /bundescloud_s3_requests_total{operation="Unknown",code="InvalidArgument"} 1/)
  assert.match(text, /bundescloud_s3_request_duration_seconds_count{operation="PutObject"} 1/)
  assert.match(text, /bundescloud_s3_body_bytes_total{operation="PutObject",direction="in"} 5/)
  assert.equal(inFlight, 0)
  assert.ok(!text.includes('secret-name'))
})

async function requests(gateway: LocalGateway): Promise<{ text: string; inFlight: number }> {
  const text = await gateway.registry.metrics()
  return { text, inFlight: Number(/^bundescloud_s3_requests_in_flight (\d+)/m.exec(text)?.[1]) }
}

/** Time-outs that only the test brings about; signatures are made for the time of day. */
function manual(clock: ManualClock) {
  return {
    monotonicMs: () => clock.monotonicMs(),
    wallMs: () => Date.now(),
    after: (delayMs: number, run: () => void) => clock.after(delayMs, run),
  }
}

/** Polls until it holds; fails after 10 s. */
async function until(holds: () => Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000
  while (!(await holds())) {
    assert.ok(performance.now() < endMs, 'it did not come to hold')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
