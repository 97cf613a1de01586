/**
 * Point 7 of the founding issue: huge bodies and slow readers do not grow the gateway.
 *
 * 1 GiB by default, so that CI stays quick; BUNDESCLOUD_BIG_BYTES=5368709120 for the 5 GiB.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { type IncomingMessage, request } from 'node:http'
import { type TestContext, test } from 'node:test'
import { residentBytesOf } from '../bench/federation-cpu.ts'
import { bodyOf } from '../workload/bodies.ts'
import { S3Connection, type S3Target } from '../workload/s3-connection.ts'
import { objectPath, Signer } from '../workload/sigv4-signer.ts'
import { until } from '../workload/until.ts'
import { startFederation } from './start-federation.ts'

const bytes = Number(process.env.BUNDESCLOUD_BIG_BYTES ?? 2 ** 30)
const residentMaxBytes = 400 * 2 ** 20
/** The body repeats this block; encryption makes every repetition different. */
const block = bodyOf('block', 2 ** 20)
const bucket = 'memory'

/** Samples a process' resident memory until stopped; returns the most it saw. */
function watchMemory(t: TestContext, pid: number): () => number {
  let most = 0
  const timer = setInterval(() => {
    most = Math.max(most, residentBytesOf(pid) ?? 0)
  }, 100)
  t.after(() => clearInterval(timer))
  return () => most
}

function send(target: S3Target, method: 'PUT' | 'GET', key: string): ReturnType<typeof request> {
  const { hostname, host, port } = new URL(target.endpoint)
  const path = objectPath(bucket, key)
  const headers = new Signer(target).sign({ method, host, path })
  if (method === 'PUT') headers['content-length'] = String(bytes)
  return request({ hostname, port, method, path, headers, agent: false })
}

function answerOf(sent: ReturnType<typeof request>): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => sent.once('response', resolve).once('error', reject))
}

/** Sends the body block by block, as fast as the gateway takes it; returns its SHA-256. */
async function upload(target: S3Target, key: string): Promise<string> {
  const sent = send(target, 'PUT', key)
  const answered = answerOf(sent)
  const hash = createHash('sha256')
  for (let left = bytes; left > 0; left -= block.length) {
    const chunk = left < block.length ? block.subarray(0, left) : block
    hash.update(chunk)
    if (!sent.write(chunk)) await new Promise((resolve) => sent.once('drain', resolve))
  }
  sent.end()
  const answer = await answered
  answer.resume()
  assert.equal(answer.statusCode, 200)
  return hash.digest('hex')
}

test(`a ${(bytes / 2 ** 30).toFixed(1)} GiB upload and its download keep the gateway under 400 MiB`, async (t) => {
  const federation = await startFederation(t)
  await federation.untilHealthy()
  const { target } = federation
  const connection = new S3Connection(target)
  t.after(() => connection.close())
  await connection.createBucket(bucket)
  const most = watchMemory(t, federation.file.gateway.pid)
  const digest = await upload(target, 'big')
  process.stdout.write(`    gateway after the upload: at most ${(most() / 1e6).toFixed(0)} MB resident\n`)

  await t.test('the download gives every byte back', async () => {
    const sent = send(target, 'GET', 'big')
    sent.end()
    const answer = await answerOf(sent)
    const hash = createHash('sha256')
    for await (const chunk of answer) hash.update(chunk as Buffer)
    assert.equal(hash.digest('hex'), digest)
  })

  await t.test('readers that stop reading hold nothing but a bounded window', async () => {
    const stalled = Array.from({ length: 8 }, () => send(target, 'GET', 'big'))
    for (const sent of stalled) sent.end()
    const answers = await Promise.all(stalled.map(answerOf))
    for (const answer of answers) answer.pause()
    // The gateway goes on serving others while they stall.
    await until('small requests are answered meanwhile', async () => {
      for (let count = 0; count < 50; count += 1) {
        assert.equal((await connection.put(bucket, `small-${count}`, block.subarray(0, 4_096))).status, 200)
      }
      return true
    })
    for (const sent of stalled) sent.destroy()
  })

  process.stdout.write(`    gateway in all: at most ${(most() / 1e6).toFixed(0)} MB resident\n`)
  assert.ok(most() < residentMaxBytes, `the gateway had ${most()} bytes resident`)
})
