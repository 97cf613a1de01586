/** Random headers of encryption on every operation that reads them: never a 500, and what is accepted is kept. */
import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import fc from 'fast-check'
import { createUpload } from './ask.ts'
import { customerKey, sseC } from './encryption.ts'
import { type LocalGateway, startLocalGateway } from './harness.ts'
import type { S3Client } from './s3-client.ts'

let at: LocalGateway
let s3: S3Client
before(async () => {
  at = await startLocalGateway()
  s3 = at.client()
})
after(() => at.close())

const sse = 'x-amz-server-side-encryption'
const source = 'x-amz-copy-source-server-side-encryption'
const anything = fc.oneof(
  fc.string({ maxLength: 40 }).map((text) => text.replace(/[^\x21-\x7e]/g, 'x')),
  fc.nat(3000).map((length) => 'A'.repeat(length)),
  fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes).toString('base64')),
  fc.constantFrom('', 'null', 'true', 'TRUE', 'e30=', 'bnVsbA==', 'eyJhIjoiYiJ9', 'eyJfX3Byb3RvX18iOiJ4In0='),
)
const some = <T>(value: fc.Arbitrary<T>) => fc.option(value, { nil: undefined, freq: 6 })
/** Mostly what is right, so that more than the first check is reached. */
const or = (...right: string[]) =>
  some(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...right) }, { weight: 1, arbitrary: anything }))
const { key, md5 } = customerKey(1)
const { key: otherKey, md5: otherMd5 } = customerKey(2)

const customerHeaders = (prefix: string) =>
  fc.oneof(
    fc.constant({}),
    fc.record({
      [`${prefix}-customer-algorithm`]: or('AES256'),
      [`${prefix}-customer-key`]: or(key, otherKey),
      [`${prefix}-customer-key-md5`]: or(md5, otherMd5),
    }),
  )
const headers = fc
  .tuple(
    fc.oneof(
      fc.constant({}),
      fc.record({
        [sse]: or('AES256', 'aws:kms', 'aws:kms:dsse'),
        [`${sse}-aws-kms-key-id`]: or('testkey-1', '__proto__'),
        [`${sse}-context`]: or('eyJhIjoiYiJ9'),
        [`${sse}-bucket-key-enabled`]: or('true', 'false'),
      }),
    ),
    customerHeaders(sse),
    customerHeaders(source),
  )
  .map((groups) => {
    const entries = groups.flatMap((group) => Object.entries(group))
    return Object.fromEntries(
      entries.filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
    )
  })

test('whatever headers of encryption come, there is no 500, and what was stored is read back', async () => {
  await s3.send({ method: 'PUT', path: '/fuzzed-bucket' })
  await s3.send({ method: 'PUT', path: '/fuzzed-bucket/plain', body: 'plain' })
  await s3.send({ method: 'PUT', path: '/fuzzed-bucket/c', body: 'under c', headers: sseC(1) })
  const upload = await createUpload(s3, '/fuzzed-bucket/upload', sseC(1))
  const query = `partNumber=1&uploadId=${upload}`
  const accepted = new Set<string>()
  let stored = 0
  await fc.assert(
    fc.asyncProperty(headers, fc.constantFrom('plain', 'c'), async (sent, from) => {
      const copy = { ...sent, 'x-amz-copy-source': `/fuzzed-bucket/${from}` }
      const requests = [
        { method: 'PUT', path: '/fuzzed-bucket/put', body: 'stored', headers: sent },
        { method: 'PUT', path: '/fuzzed-bucket/copy', headers: copy },
        { method: 'GET', path: `/fuzzed-bucket/${from}`, headers: sent },
        { method: 'HEAD', path: `/fuzzed-bucket/${from}`, headers: sent },
        {
          method: 'GET',
          path: `/fuzzed-bucket/${from}?attributes=`,
          headers: { ...sent, 'x-amz-object-attributes': 'ETag' },
        },
        { method: 'POST', path: '/fuzzed-bucket/begun?uploads=', headers: sent },
        { method: 'PUT', path: `/fuzzed-bucket/upload?${query}`, body: 'part', headers: sent },
        { method: 'PUT', path: `/fuzzed-bucket/upload?${query}`, headers: copy },
        { method: 'GET', path: `/fuzzed-bucket/upload?uploadId=${upload}`, headers: sent },
      ]
      for (const request of requests) {
        const answer = await s3.send(request)
        const what = `${request.method} ${request.path} ${JSON.stringify(sent)} ${answer.text}`
        assert.ok([200, 400, 501].includes(answer.status), what)
        if (answer.status === 200)
          accepted.add(`${request.method} ${request.path.replace(/plain|\bc\b/, 'x')}`)
        for (const secret of [key, otherKey]) assert.ok(!answer.text.includes(secret), what)
        if (request.path.endsWith('/put') && answer.status === 200) {
          const own = Object.entries(sent).filter(([name]) => name.startsWith(`${sse}-customer`))
          const read = await s3.send({ path: request.path, headers: Object.fromEntries(own) })
          assert.deepEqual([read.status, read.text], [200, 'stored'], what)
          stored++
        }
      }
    }),
    { numRuns: 150 },
  )
  assert.ok(stored > 10 && accepted.size >= 8, `too little got through: ${stored}, ${[...accepted]}`)
})
