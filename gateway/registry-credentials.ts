/**
 * Access keys from the registry: found by id, their secrets opened with the owner's key, remembered for seconds.
 */
import type { ClusterClient } from '../node/client.ts'
import type { Kms } from '../node/world.ts'
import { ExpiringCache } from './expiring-cache.ts'
import type { CredentialSource } from './object/object-store.ts'

export const credentialLimits = {
  cachedMax: 10_000,
  /** A key that is disabled stops working after so long. */
  cachedMs: 5_000,
} as const

/** Binds a sealed secret to its access key. */
export function credentialContext(accessKeyId: string): string {
  return `credential/${accessKeyId}`
}

export class RegistryCredentials implements CredentialSource {
  readonly #cluster: ClusterClient
  readonly #kms: Kms
  readonly #cache = new ExpiringCache<string, ReturnType<CredentialSource['find']>>(
    credentialLimits.cachedMax,
    credentialLimits.cachedMs,
  )

  constructor(cluster: ClusterClient, kms: Kms) {
    this.#cluster = cluster
    this.#kms = kms
  }

  find(accessKeyId: string): ReturnType<CredentialSource['find']> {
    const cached = this.#cache.get(accessKeyId)
    if (cached !== undefined) return cached
    const found = this.#ask(accessKeyId)
    this.#cache.set(accessKeyId, found)
    found.catch(() => this.#cache.delete(accessKeyId))
    return found
  }

  async #ask(accessKeyId: string): ReturnType<CredentialSource['find']> {
    const { credential, user } = await this.#cluster.router.queryRegistry({ kind: 'credential', accessKeyId })
    if (credential === undefined || user === undefined || credential.state !== 'active') return undefined
    const secret = await this.#kms.unwrap(credential.sealedSecret, credentialContext(accessKeyId))
    return { secretAccessKey: secret.toString('utf8'), user }
  }
}
