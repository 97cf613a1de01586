import { after, before, test } from 'node:test'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('GetObjectTorrent finds none, and is asked by those only who may', async () => {
  const bucket = await at.bucket()
  const path = `/${bucket}/k?torrent`
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  await putObject(at.s3, `/${bucket}/k`, 'x')
  assertError(await at.s3.send({ path }), 404, 'NoSuchKey')
  assertError(await at.other.send({ path }), 403, 'AccessDenied')
})
