/**
 * Who an access key belongs to, alone or with the token of a session: the secret to verify a signature with, and the
 * identity that the verified signature proves.
 *
 * Invariants: an identity is asked for only after its signature was verified; a session ends when it expires, and within
 * seconds when its role or user goes, or when the key with which it began is disabled.
 */
import type { Clock } from '../../node/world.ts'
import { S3Error } from '../s3/errors.ts'
import type { CredentialSource, Session, SessionOpener } from './credential-source.ts'
import { type Identity, roleIdentity, userIdentity } from './identity.ts'

export interface Claimant {
  readonly secretAccessKey: string
  /** Throws S3Error InvalidAccessKeyId when what is behind a session is gone. */
  identity(): Promise<Identity>
}

export interface ClaimantParts {
  readonly credentials: CredentialSource
  /** Absent: no sessions. */
  readonly sessions?: SessionOpener | undefined
  readonly clock: Pick<Clock, 'wallMs'>
}

export class Claimants {
  readonly #parts: ClaimantParts

  constructor(parts: ClaimantParts) {
    this.#parts = parts
  }

  /** `token`: what the request has as x-amz-security-token. Throws S3Error InvalidAccessKeyId, InvalidToken, ExpiredToken. */
  async find(accessKeyId: string, token: string | undefined): Promise<Claimant> {
    if (token !== undefined) return this.#ofSession(accessKeyId, token)
    const found = await this.#parts.credentials.find(accessKeyId)
    if (found === undefined) throw unknownKey(accessKeyId)
    return {
      secretAccessKey: found.secretAccessKey,
      identity: async () => userIdentity(accessKeyId, found.user, found.access),
    }
  }

  async #ofSession(accessKeyId: string, token: string): Promise<Claimant> {
    const session = await this.#parts.sessions?.open(token)
    if (session === undefined || session.accessKeyId !== accessKeyId) throw new S3Error('InvalidToken')
    if (session.expiresMs <= this.#parts.clock.wallMs()) throw new S3Error('ExpiredToken')
    return {
      secretAccessKey: session.secretAccessKey,
      identity: async () => this.#narrow(await this.#behind(session), session),
    }
  }

  async #behind(session: Session): Promise<Identity> {
    const { credentials } = this.#parts
    const { subject, accessKeyId } = session
    if (subject.kind === 'role') {
      const found = await credentials.role(subject.roleId)
      if (found === undefined) throw unknownKey(accessKeyId)
      return roleIdentity(accessKeyId, { ...found, sessionName: subject.sessionName })
    }
    const found = await credentials.find(subject.accessKeyId)
    if (found === undefined || found.user.userId !== subject.userId) throw unknownKey(accessKeyId)
    return userIdentity(accessKeyId, found.user, found.access)
  }

  /** What the session adds to the identity behind it. A managed policy that is gone allows nothing: `''`. */
  async #narrow(identity: Identity, session: Session): Promise<Identity> {
    const { policies = [], policyArns = [], issuedMs, expiresMs, transitiveTags = [] } = session
    const managed = await Promise.all(policyArns.map((arn) => this.#parts.credentials.managedPolicy(arn)))
    const all = [...policies, ...managed.map((text) => text ?? '')]
    const contextKeys = {
      ...identity.contextKeys,
      ...session.contextKeys,
      'aws:tokenissuetime': [new Date(issuedMs).toISOString()],
    }
    const narrowed = all.length === 0 ? identity : { ...identity, sessionPolicies: all }
    return {
      ...narrowed,
      accessKeyId: session.accessKeyId,
      contextKeys,
      session: { expiresMs, transitiveTags },
    }
  }
}

function unknownKey(accessKeyId: string): S3Error {
  return new S3Error('InvalidAccessKeyId', undefined, { details: { AWSAccessKeyId: accessKeyId } })
}
