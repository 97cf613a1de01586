/**
 * Access keys, users and roles from the registry: one read each, secrets opened with the owner's key, remembered for
 * seconds.
 */
import type { ClusterClient } from '../node/client.ts'
import { builtInPrefix, type EffectivePolicies } from '../node/core/access-types.ts'
import type { Kms } from '../node/world.ts'
import type { CredentialSource, FoundKey, FoundRole, FoundUser } from './auth/credential-source.ts'
import type { IdentityPolicies } from './auth/identity.ts'
import { ExpiringCache } from './expiring-cache.ts'
import { builtInPolicy } from './iam/built-in-policies.ts'

export const credentialLimits = {
  cachedMax: 10_000,
  /** A key that is disabled stops working after so long; a policy that is changed is in force after so long. */
  cachedMs: 5_000,
} as const

/** Binds a sealed secret to its access key. */
export function credentialContext(accessKeyId: string): string {
  return `credential/${accessKeyId}`
}

class Remembered<T> {
  readonly #cache = new ExpiringCache<string, Promise<T>>(
    credentialLimits.cachedMax,
    credentialLimits.cachedMs,
  )
  readonly #ask: (id: string) => Promise<T>

  constructor(ask: (id: string) => Promise<T>) {
    this.#ask = ask
  }

  /** Requests that ask at the same time share one answer; a failure is not remembered. */
  get(id: string): Promise<T> {
    const cached = this.#cache.get(id)
    if (cached !== undefined) return cached
    const found = this.#ask(id)
    this.#cache.set(id, found)
    found.catch(() => this.#cache.delete(id))
    return found
  }

  clear(): void {
    this.#cache.clear()
  }
}

export class RegistryCredentials implements CredentialSource {
  readonly #router: ClusterClient['router']
  readonly #kms: Kms
  readonly #keys = new Remembered<FoundKey | undefined>((id) => this.#askKey(id))
  readonly #users = new Remembered<FoundUser | undefined>((id) => this.#askUser(id))
  readonly #roles = new Remembered<FoundRole | undefined>((id) => this.#askRole(id))
  readonly #policies = new Remembered<string | undefined>((arn) => this.#askPolicy(arn))

  constructor(cluster: Pick<ClusterClient, 'router'>, kms: Kms) {
    this.#router = cluster.router
    this.#kms = kms
  }

  find(accessKeyId: string): Promise<FoundKey | undefined> {
    return this.#keys.get(accessKeyId)
  }

  user(userId: string): Promise<FoundUser | undefined> {
    return this.#users.get(userId)
  }

  role(roleId: string): Promise<FoundRole | undefined> {
    return this.#roles.get(roleId)
  }

  managedPolicy(arn: string): Promise<string | undefined> {
    return this.#policies.get(arn)
  }

  /** Something was changed through this gateway: what follows here sees it at once. */
  forget(): void {
    for (const cache of [this.#keys, this.#users, this.#roles, this.#policies]) cache.clear()
  }

  async #askKey(accessKeyId: string): Promise<FoundKey | undefined> {
    const answer = await this.#router.queryRegistry({ kind: 'access-key', accessKeyId })
    const { credential, user, policies } = answer
    if (credential === undefined || user === undefined || policies === undefined) return undefined
    if (credential.state !== 'active' || user.state === 'disabled') return undefined
    const secret = await this.#kms.unwrap(credential.sealedSecret, credentialContext(accessKeyId))
    return { secretAccessKey: secret.toString('utf8'), user, access: identityPolicies(policies) }
  }

  async #askUser(userId: string): Promise<FoundUser | undefined> {
    const { user, policies } = await this.#router.queryRegistry({ kind: 'user-access', userId })
    if (user === undefined || policies === undefined || user.state === 'disabled') return undefined
    return { user, access: identityPolicies(policies) }
  }

  async #askRole(roleId: string): Promise<FoundRole | undefined> {
    const { role, policies } = await this.#router.queryRegistry({ kind: 'role-access', roleId })
    if (role === undefined || policies === undefined) return undefined
    return { role, access: identityPolicies(policies) }
  }

  async #askPolicy(arn: string): Promise<string | undefined> {
    if (arn.startsWith(builtInPrefix)) return builtInPolicy(arn)
    const [, accountId, path = ''] = /^arn:aws:iam::([^:]+):policy\/(.+)$/.exec(arn) ?? []
    if (accountId === undefined) return undefined
    const name = path.slice(path.lastIndexOf('/') + 1)
    const ref = { accountId, name }
    const answer = await this.#router.queryRegistry({ kind: 'find-entity', entity: 'policy', ref })
    const policy = answer.found
    if (policy === undefined || !('versions' in policy)) return undefined
    if (`${policy.path}${policy.name}` !== `/${path}`) return undefined
    return policy.versions.find(({ versionId }) => versionId === policy.defaultVersionId)?.document
  }
}

/** The text of every policy. A built-in one that this gateway does not know is text that denies: `''`. */
function identityPolicies({ documents, builtIn, boundary }: EffectivePolicies): IdentityPolicies {
  const policies = [...documents, ...builtIn.map((arn) => builtInPolicy(arn) ?? '')]
  if (boundary === undefined) return { policies }
  const bounded = 'document' in boundary ? boundary.document : (builtInPolicy(boundary.builtIn) ?? '')
  return { policies, boundary: bounded }
}
