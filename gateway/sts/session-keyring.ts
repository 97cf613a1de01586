/**
 * The keys that seal the tokens of sessions: made by gateways, wrapped by the owner's key store, kept in the registry,
 * so that every gateway of the owner opens what any of them sealed, and nobody else does.
 *
 * Invariants: a key is used for sealing for a month and opens for as long as a session of it may live; a key is in the
 * registry before the first token is sealed with it.
 */
import { randomBytes } from 'node:crypto'
import type { ClusterClient } from '../../node/client.ts'
import { ClusterError } from '../../node/errors.ts'
import { keyFingerprint } from '../../node/protocol/envelope.ts'
import type { Clock, Kms } from '../../node/world.ts'
import { stsLimits } from './sts-limits.ts'

export interface SealingKey {
  /** Its fingerprint (envelope.ts), hex: the envelope names it. */
  readonly keyId: string
  readonly key: Buffer
}

export interface KeyringParts {
  readonly router: Pick<ClusterClient['router'], 'queryRegistry' | 'proposeRegistry'>
  readonly kms: Kms
  readonly clock: Clock
}

interface HeldKey extends SealingKey {
  readonly createdMs: number
}

export function sessionKeyContext(keyId: string): string {
  return `session-key/${keyId}`
}

export class SessionKeyring {
  readonly #parts: KeyringParts
  #held: ReadonlyMap<string, HeldKey> = new Map()
  #loading: Promise<void> | undefined
  #loadedMs = Number.NEGATIVE_INFINITY
  #making: Promise<SealingKey> | undefined

  constructor(parts: KeyringParts) {
    this.#parts = parts
  }

  /** The key to seal with now; made when there is none that is young enough. */
  async sealing(): Promise<SealingKey> {
    const found = this.#young()
    if (found !== undefined) return found
    await this.#load()
    const loaded = this.#young()
    if (loaded !== undefined) return loaded
    this.#making ??= this.#make().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  /** The key with this id. Unknown ones are looked for in the registry, but not more often than a second allows. */
  async opening(keyId: string): Promise<Buffer | undefined> {
    const found = this.#held.get(keyId)
    if (found !== undefined) return found.key
    const { clock } = this.#parts
    if (clock.monotonicMs() - this.#loadedMs < stsLimits.keyReloadMs) return undefined
    await this.#load()
    return this.#held.get(keyId)?.key
  }

  #young(): SealingKey | undefined {
    const afterMs = this.#parts.clock.wallMs() - stsLimits.keySealsMs
    const young = [...this.#held.values()].filter((held) => held.createdMs > afterMs)
    return young.sort((a, b) => b.createdMs - a.createdMs)[0]
  }

  #load(): Promise<void> {
    this.#loading ??= this.#ask().finally(() => {
      this.#loading = undefined
    })
    return this.#loading
  }

  async #ask(): Promise<void> {
    const { router, kms, clock } = this.#parts
    const { keys } = await router.queryRegistry({ kind: 'session-keys' })
    const held = new Map<string, HeldKey>()
    for (const { keyId, wrappedKey, createdMs } of keys) {
      const known = this.#held.get(keyId)?.key
      const key = known ?? (await kms.unwrap(wrappedKey, sessionKeyContext(keyId)))
      held.set(keyId, { keyId, key, createdMs })
    }
    this.#held = held
    this.#loadedMs = clock.monotonicMs()
  }

  async #make(): Promise<SealingKey> {
    const { router, kms, clock } = this.#parts
    const key = randomBytes(32)
    const keyId = keyFingerprint(key).toString('hex')
    const createdMs = clock.wallMs()
    const wrappedKey = await kms.wrap(key, sessionKeyContext(keyId))
    await router.proposeRegistry(`session-key-${keyId}`, {
      kind: 'put-session-key',
      key: { keyId, wrappedKey, createdMs },
      retireBeforeMs: Math.max(0, createdMs - stsLimits.keySealsMs - stsLimits.keyOpensMs),
    })
    await this.#load()
    const made = this.#held.get(keyId)
    if (made === undefined) throw new ClusterError('Internal', 'a session key was not kept')
    return made
  }
}
