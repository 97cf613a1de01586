import { after, before, test } from 'node:test'
import { assertError } from './ask.ts'
import { type Conformance, startConformance } from './harness.ts'

let at: Conformance
before(async () => {
  at = await startConformance()
})
after(() => at.close())

test('PreflightService allows no page anything', async () => {
  const ask = (headers: Record<string, string>) =>
    at.s3.send({ method: 'OPTIONS', path: '/', headers, anonymous: true })
  assertError(await ask({}), 400, 'BadRequest')
  assertError(await ask({ origin: 'https://a.de' }), 400, 'BadRequest')
  const whole = { origin: 'https://a.de', 'access-control-request-method': 'GET' }
  assertError(await ask(whole), 403, 'AccessForbidden')
})
