import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { test } from 'node:test'
import type { Session } from '../../gateway/auth/credential-source.ts'
import { SessionKeyring } from '../../gateway/sts/session-keyring.ts'
import { keyIdOf, openSession, SessionTokens, sealSession } from '../../gateway/sts/session-token.ts'
import { stsLimits } from '../../gateway/sts/sts-limits.ts'
import type { SessionKey } from '../../node/core/access-types.ts'
import { keyFingerprint, openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'

const key = Buffer.alloc(32, 3)
const sealing = { keyId: keyFingerprint(key).toString('hex'), key }

const session: Session = {
  accessKeyId: 'ASIATEST000000000001',
  secretAccessKey: 'secret',
  issuedMs: 1_767_225_600_000,
  expiresMs: 1_767_229_200_000,
  subject: { kind: 'role', roleId: 'AROA1', sessionName: 'shift-7' },
  policies: ['{"Version":"2012-10-17","Statement":[]}'],
  contextKeys: { 'aws:principaltag/team': ['ü'] },
}

test('a token opens with its key to the session that was sealed, and names the key', () => {
  const envelope = Buffer.from(sealSession(sealing, session), 'base64')
  assert.equal(keyIdOf(envelope), sealing.keyId)
  assert.deepEqual(openSession(key, envelope), session)
  assert.equal(openSession(Buffer.alloc(32, 4), envelope), undefined)
})

test('a token of the golden file opens: gateways of all versions open what any sealed', () => {
  const file = new URL('../golden/session-token-1.txt', import.meta.url)
  if (process.env.GOLDEN === 'write') writeFileSync(file, `${sealSession(sealing, session)}\n`)
  assert.deepEqual(openSession(key, Buffer.from(readFileSync(file, 'utf8').trim(), 'base64')), session)
})

test('a token that was changed in any byte, or cut, or is an envelope for something else, does not open', () => {
  const envelope = Buffer.from(sealSession(sealing, session), 'base64')
  for (let at = 0; at < envelope.length; at += 1) {
    const changed = Buffer.from(envelope)
    changed[at] = (changed[at] ?? 0) ^ 1
    assert.equal(openSession(key, changed), undefined, `byte ${at}`)
    assert.equal(openSession(key, envelope.subarray(0, at)), undefined, `cut at ${at}`)
  }
  assert.equal(openSession(key, sealEnvelope(key, Buffer.from('{}'), 'credential/x')), undefined)
})

/** A registry that holds session keys, a key store, and a clock that the test moves. */
function world() {
  const keys: SessionKey[] = []
  const at = { nowMs: 1_767_225_600_000, asked: 0 }
  const router = {
    queryRegistry: async () => {
      at.asked += 1
      return { keys: [...keys] }
    },
    proposeRegistry: async (_: string, command: { key: SessionKey; retireBeforeMs: number }) => {
      keys.unshift(command.key)
      for (let i = keys.length - 1; i >= 0; i -= 1) {
        if ((keys[i]?.createdMs ?? 0) < command.retireBeforeMs) keys.splice(i, 1)
      }
      return {}
    },
  }
  const ownersKey = Buffer.alloc(32, 9)
  const kms = {
    wrap: async (secret: Uint8Array, context: string) => sealEnvelope(ownersKey, secret, context),
    unwrap: async (envelope: Uint8Array, context: string) => openEnvelope(ownersKey, envelope, context),
  }
  const clock = { monotonicMs: () => at.nowMs, wallMs: () => at.nowMs, after: () => () => undefined }
  const gateway = () => new SessionTokens(new SessionKeyring({ router: router as never, kms, clock }))
  return { keys, at, gateway }
}

test('every gateway opens what another sealed', async () => {
  const { gateway, keys } = world()
  const token = await gateway().seal(session)
  assert.deepEqual(await gateway().open(token), session)
  assert.equal(keys.length, 1)
})

test('gateways that seal at the same time make one key each at most', async () => {
  const { gateway, keys } = world()
  const one = gateway()
  await Promise.all([one.seal(session), one.seal(session), one.seal(session)])
  assert.equal(keys.length, 1)
  await gateway().seal(session)
  assert.equal(keys.length, 1)
})

test('keys take turns; an old one opens for as long as a session may live, and is forgotten', async () => {
  const { gateway, keys, at } = world()
  const one = gateway()
  const token = await one.seal(session)
  at.nowMs += stsLimits.keySealsMs
  await one.seal(session)
  assert.equal(keys.length, 2)
  assert.deepEqual(await gateway().open(token), session)
  at.nowMs += stsLimits.keySealsMs
  await one.seal(session)
  assert.equal(keys.length, 2)
  assert.equal(await gateway().open(token), undefined)
})

test('a keystore sees each key once; forged tokens ask the registry at most once a second', async () => {
  const { gateway, at } = world()
  const one = gateway()
  await one.seal(session)
  const asked = at.asked
  const forged = sealSession({ ...sealing, key: Buffer.alloc(32, 5) }, session)
  for (let count = 0; count < 10; count += 1) assert.equal(await one.open(forged), undefined)
  assert.equal(at.asked, asked)
  at.nowMs += stsLimits.keyReloadMs
  for (let count = 0; count < 10; count += 1) assert.equal(await one.open(forged), undefined)
  assert.equal(at.asked, asked + 1)
})

test('what is no token is refused without asking', async () => {
  const { gateway, at } = world()
  const one = gateway()
  for (const text of ['', 'x', '!!!', 'A'.repeat(stsLimits.tokenBytesMax + 1), 'AAAA\n', 'é']) {
    assert.equal(await one.open(text), undefined)
  }
  assert.ok(at.asked <= 1)
})
