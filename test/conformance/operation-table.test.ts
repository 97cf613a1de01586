import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { operations } from '../../gateway/operations/index.ts'
import { assertError, putObject } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('every operation that is not implemented says so, and changes nothing', async () => {
  const bucket = await at.bucket()
  await putObject(at.s3, `/${bucket}/k`, 'kept')
  let asked = 0
  for (const operation of operations) {
    if (operation.kind !== 'planned') continue
    const { needs, subresource, target, method } = operation
    const query = [
      ...(subresource === undefined ? [] : [subresource]),
      ...(needs?.query ?? []).map((name) => `${name}=1`),
      ...(needs?.queryIs === undefined ? [] : [needs.queryIs.join('=')]),
    ]
    const path = { service: '/', bucket: `/${bucket}`, object: `/${bucket}/k` }[target]
    const headers = needs?.header === undefined ? {} : { [needs.header]: 'x' }
    const answer = await at.s3.send({ method, path: `${path}?${query.join('&')}`, headers })
    assertError(answer, 501, 'NotImplemented')
    assert.ok(answer.text.includes(operation.name), operation.name)
    asked++
  }
  assert.ok(asked > 0)
  assert.equal((await at.s3.send({ path: `/${bucket}/k` })).text, 'kept')
})

test('two sub-resources, and sub-resources with the wrong method, are refused', async () => {
  const bucket = await at.bucket()
  assertError(await at.s3.send({ path: `/${bucket}?acl&policy` }), 400, 'InvalidArgument')
  const put = await at.s3.send({ method: 'PUT', path: `/${bucket}/k?acl&tagging`, body: 'x' })
  assertError(put, 400, 'InvalidArgument')
  assertError(await at.s3.send({ method: 'POST', path: `/${bucket}/k?acl` }), 405, 'MethodNotAllowed')
  assertError(
    await at.s3.send({ method: 'PUT', path: `/${bucket}/k?policy`, body: 'x' }),
    405,
    'MethodNotAllowed',
  )
  assertError(await at.s3.send({ method: 'PATCH', path: `/${bucket}/k` }), 405, 'MethodNotAllowed')
  assertError(await at.s3.send({ method: 'PROPFIND', path: `/${bucket}/k` }), 405, 'MethodNotAllowed')
  assert.equal((await at.s3.send({ method: 'HEAD', path: `/${bucket}/k` })).status, 404)
})

test('addresses that cannot be decoded are InvalidURI', async () => {
  for (const path of ['/b/%ff', '/b/%', '/b?prefix=%zz']) {
    assertError(await at.s3.send({ path, anonymous: true }), 400, 'InvalidURI')
  }
})
