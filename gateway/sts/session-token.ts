/**
 * The tokens of sessions: everything that a session is, sealed. No gateway and no registry remembers one.
 *
 * Layout: base64 of an envelope (node/protocol/envelope.ts, AES-256-GCM) whose key fingerprint names a key of the
 * keyring and whose context is below; inside, deflated JSON of the session. Invariant: what opens was sealed by a
 * gateway of this owner, whole and unchanged. What a session may do is looked up when it is used: the token holds ids.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import { z } from 'zod'
import { ClusterError } from '../../node/errors.ts'
import { openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'
import type { Session, SessionOpener } from '../auth/credential-source.ts'
import type { SealingKey, SessionKeyring } from './session-keyring.ts'
import { stsLimits } from './sts-limits.ts'

const tokenContext = 'session-token/1'
/** Version and algorithm come before the fingerprint. */
const fingerprintOffset = 2
const fingerprintBytes = 8

const texts = z.array(z.string())
const sessionSchema = z.object({
  accessKeyId: z.string(),
  secretAccessKey: z.string(),
  issuedMs: z.number(),
  expiresMs: z.number(),
  subject: z.union([
    z.object({ kind: z.literal('role'), roleId: z.string(), sessionName: z.string() }),
    z.object({ kind: z.literal('user'), userId: z.string(), accessKeyId: z.string() }),
  ]),
  policies: texts.optional(),
  policyArns: texts.optional(),
  contextKeys: z.record(z.string(), texts).optional(),
  transitiveTags: texts.optional(),
})

/** Seals a session; pure but for the nonce. */
export function sealSession({ key }: SealingKey, session: Session): string {
  const bytes = deflateRawSync(JSON.stringify(session))
  return sealEnvelope(key, bytes, tokenContext).toString('base64')
}

/** The id of the key that a token names; undefined when it is no token. */
export function keyIdOf(envelope: Buffer): string | undefined {
  const end = fingerprintOffset + fingerprintBytes
  return envelope.length < end ? undefined : envelope.toString('hex', fingerprintOffset, end)
}

/** The session in an envelope; undefined when it was not sealed with this key. */
export function openSession(key: Buffer, envelope: Buffer): Session | undefined {
  let bytes: Buffer
  try {
    bytes = openEnvelope(key, envelope, tokenContext)
  } catch (error) {
    if (error instanceof ClusterError && error.code === 'DecryptionFailed') return undefined
    throw error
  }
  const parsed = sessionSchema.parse(JSON.parse(inflateRawSync(bytes).toString('utf8')))
  // Absent fields stay absent; zod's types allow undefined ones.
  return parsed as Session
}

export class SessionTokens implements SessionOpener {
  readonly #keyring: Pick<SessionKeyring, 'sealing' | 'opening'>

  constructor(keyring: Pick<SessionKeyring, 'sealing' | 'opening'>) {
    this.#keyring = keyring
  }

  async seal(session: Session): Promise<string> {
    return sealSession(await this.#keyring.sealing(), session)
  }

  async open(token: string): Promise<Session | undefined> {
    if (token.length > stsLimits.tokenBytesMax || !/^[A-Za-z0-9+/]+={0,2}$/.test(token)) return undefined
    const envelope = Buffer.from(token, 'base64')
    const keyId = keyIdOf(envelope)
    const key = keyId === undefined ? undefined : await this.#keyring.opening(keyId)
    return key === undefined ? undefined : openSession(key, envelope)
  }
}
