/**
 * Object Lock holds on every path: each operation that writes is tried against versions that must stay, once with right
 * clocks and once through a gateway whose clock is far ahead.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { operations } from '../../gateway/operations/index.ts'
import { systemClock } from '../../node/io/system-world.ts'
import { setVersioning } from './ask.ts'
import { bob, startConformance, startLocalGateway } from './harness.ts'
import { assertIntact, paths, prepare } from './object-lock-attacks.ts'

const writes = operations.filter(
  ({ kind, method }) => kind !== 'planned' && !['GET', 'HEAD', 'OPTIONS'].includes(method),
)

test('every operation that writes is listed with its attack, or with the reason why it needs none', () => {
  const listed = new Set(Object.keys(paths))
  const missing = writes.filter(({ name }) => !listed.has(name)).map(({ name }) => name)
  assert.deepEqual(missing, [], 'list them in object-lock-attacks.ts')
  const known = new Set(operations.map(({ name }) => name))
  assert.deepEqual(
    [...listed].filter((name) => !known.has(name)),
    [],
    'these are no operations',
  )
})

const attacks = Object.entries(paths).flatMap(([name, path]) =>
  typeof path === 'string' ? [] : [{ name, attack: path }],
)

test('no operation ends or weakens a protection', async (t) => {
  const at = await startConformance()
  t.after(() => at.close())
  for (const { name, attack } of attacks) {
    await t.test(name, async () => {
      const target = await prepare(at.s3, at.other, await at.bucket({ objectLock: true }))
      await attack(target)
      await assertIntact(target, name)
    })
  }
})

test('no operation does so through a gateway whose clock is a hundred years ahead', async (t) => {
  const aheadMs = 100 * 365 * 86_400_000
  const gateway = await startLocalGateway({
    federation: { gatewayClock: { ...systemClock, wallMs: () => systemClock.wallMs() + aheadMs } },
  })
  t.after(() => gateway.close())
  const s3 = gateway.client()
  const stranger = gateway.client(bob)
  for (const [index, { name, attack }] of attacks.entries()) {
    await t.test(name, async () => {
      const bucket = `evidence-${index}`
      const headers = { 'x-amz-bucket-object-lock-enabled': 'true' }
      assert.equal((await s3.send({ method: 'PUT', path: `/${bucket}`, headers })).status, 200)
      const target = await prepare(s3, stranger, bucket)
      await attack(target)
      await assertIntact(target, name)
    })
  }
})

test('the attacks are real: without protection they remove the version', async (t) => {
  const at = await startConformance()
  t.after(() => at.close())
  const bucket = await at.bucket()
  await setVersioning(at.s3, bucket, 'Enabled')
  const put = await at.s3.send({ method: 'PUT', path: `/${bucket}/k`, body: 'x' })
  const query = `versionId=${put.headers['x-amz-version-id']}`
  assert.equal((await at.s3.send({ method: 'DELETE', path: `/${bucket}/k?${query}` })).status, 204)
  assert.equal((await at.s3.send({ path: `/${bucket}/k?${query}` })).status, 404)
})
