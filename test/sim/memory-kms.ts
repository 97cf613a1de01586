/** An owner's key store whose keys live as long as the test; counts what it is asked, and keys can be destroyed. */
import { randomBytes } from 'node:crypto'
import { ClusterError } from '../../node/errors.ts'
import { openEnvelope, sealEnvelope } from '../../node/protocol/envelope.ts'
import type { Kms } from '../../node/world.ts'

export class MemoryKms implements Kms {
  /** Calls so far, by name of the key; '' is the owner's own. */
  readonly calls = new Map<string, number>()
  /** False: as if nobody answered. */
  reachable = true
  readonly #named: Map<string, Buffer>
  #own: Buffer | undefined = Buffer.alloc(32, 7)

  constructor(names: readonly string[]) {
    this.#named = new Map(names.map((name) => [name, randomBytes(32)]))
  }

  create(name: string): void {
    this.#named.set(name, randomBytes(32))
  }

  /** Without a name: the owner's own key, and with it every bucket's. */
  destroy(name?: string): void {
    if (name === undefined) this.#own = undefined
    else this.#named.delete(name)
  }

  async wrap(secret: Uint8Array, context: string, keyName?: string): Promise<Uint8Array> {
    return sealEnvelope(this.#key(keyName), secret, context)
  }

  async unwrap(envelope: Uint8Array, context: string, keyName?: string): Promise<Buffer> {
    return openEnvelope(this.#key(keyName), envelope, context)
  }

  #key(name: string | undefined): Buffer {
    if (!this.reachable) throw new ClusterError('KmsUnavailable', 'nobody answers')
    this.calls.set(name ?? '', (this.calls.get(name ?? '') ?? 0) + 1)
    const key = name === undefined ? this.#own : this.#named.get(name)
    if (key !== undefined) return key
    if (name === undefined) throw new ClusterError('DecryptionFailed', 'no such key in the key store')
    throw new ClusterError('KmsKeyNotFound', 'no key of that name', { details: { keyId: name } })
  }
}
