/** From requests over HTTP to the object of log lines in the target bucket. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { AccessLog } from '../../gateway/access-log/access-log.ts'
import { logDelivery } from '../../gateway/access-log/deliver.ts'
import { createRequestId } from '../../gateway/exchange.ts'
import { putObject } from './ask.ts'
import { bob, type LocalGateway, startLocalGateway, systemClock } from './harness.ts'

let gateway: LocalGateway
let log: AccessLog
const folder = mkdtempSync(join(tmpdir(), 'access-log-'))

before(async () => {
  gateway = await startLocalGateway({
    accessLog: (federation) => {
      log = new AccessLog({
        folder,
        clock: systemClock,
        rollMs: 600_000,
        deliver: logDelivery(federation.store, createRequestId),
        onDropped: () => assert.fail('a line was dropped'),
        onDelivered: () => undefined,
        onFailed: (error) => {
          throw error
        },
      })
      return log
    },
  })
})
after(async () => {
  await gateway.close()
  rmSync(folder, { recursive: true, force: true })
})

test('requests on a bucket become lines in an object of the target bucket, refused ones too', async () => {
  const s3 = gateway.client()
  for (const bucket of ['source', 'logs']) await s3.send({ method: 'PUT', path: `/${bucket}` })
  const body =
    '<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>log/</TargetPrefix>' +
    '</LoggingEnabled></BucketLoggingStatus>'
  assert.equal((await s3.send({ method: 'PUT', path: '/source?logging', body })).status, 200)
  const put = await putObject(s3, '/source/akten/a%20b.mp4', '0123456789')
  await s3.send({ path: '/source/akten/a%20b.mp4', headers: { range: 'bytes=0-3' } })
  await gateway.client(bob).send({ path: '/source/akten/a%20b.mp4' })
  await s3.send({ path: '/source/nothing' })
  const secrets = ['customer-key=geheim', 'Customer%2Dkey=geheim', 'customer-key-md5=geheim']
  const query = secrets.map((pair) => `x-amz-server-side-encryption-${pair}`).join('&')
  await s3.send({ path: `/source/nothing?a=b&${query}` })
  await s3.send({ path: '/logs/nothing' })
  await log.close()

  const list = await s3.send({ path: '/logs?list-type=2' })
  const [key, ...others] = [...list.text.matchAll(/<Key>([^<]+)<\/Key>/g)].map((match) => match[1] ?? '')
  assert.match(key ?? '', /^log\/\d{4}(-\d\d){5}-[0-9A-F]{16}$/)
  assert.deepEqual(others, [])
  const lines = (await s3.send({ path: `/logs/${key}` })).text.trimEnd().split('\n')
  assert.deepEqual(
    lines.map((line) => line.match(/REST\.[A-Z.]+ \S+ "[^"]*" \d+ \S+ \S+ \S+/)?.[0]),
    [
      'REST.PUT.OBJECT akten/a%20b.mp4 "PUT /source/akten/a%20b.mp4 HTTP/1.1" 200 - - 10',
      'REST.GET.OBJECT akten/a%20b.mp4 "GET /source/akten/a%20b.mp4 HTTP/1.1" 206 - 4 10',
      `REST.GET.OBJECT akten/a%20b.mp4 "GET /source/akten/a%20b.mp4 HTTP/1.1" 403 AccessDenied ${bytesOf(lines[2])} -`,
      `REST.GET.OBJECT nothing "GET /source/nothing HTTP/1.1" 404 NoSuchKey ${bytesOf(lines[3])} -`,
      `REST.GET.OBJECT nothing "GET /source/nothing?a=b&${query.replaceAll('geheim', '-')} HTTP/1.1" 404 NoSuchKey ${bytesOf(lines[4])} -`,
    ],
  )
  assert.ok(lines[0]?.includes(` ${put.headers['x-amz-request-id']} `))
  assert.ok(lines[0]?.startsWith('a11ce source ['))
  assert.ok(lines[2]?.includes(' b0b '))
  assert.match(lines[0] ?? '', / SigV4 - AuthHeader localhost:\d+ - - -$/)
})

function bytesOf(line: string | undefined): string {
  return line?.match(/(?:AccessDenied|NoSuchKey) (\d+) /)?.[1] ?? 'no size'
}
