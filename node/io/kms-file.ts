/**
 * The owner's key store as a file: for the local federation and small installations.
 *
 * Format 2 holds the owner's own keys, which wrap bucket keys and credentials, and named keys, which clients choose
 * for objects (SSE-KMS). Of each list the first key wraps and all of them unwrap, so that a key can be rotated. Format
 * 1 had the owner's keys only and is read for good. Whoever reads this file reads every object: it stays with the
 * owner, never on a storage operator's machine. A key that is removed from it is destroyed: what it wrapped stays
 * unreadable for ever (crypto-erase).
 *
 * Invariant: what the file says counts from the next call on; a file that cannot be read or is malformed gives no key.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync, type Stats } from 'node:fs'
import { readFile, stat } from 'node:fs/promises'
import { z } from 'zod'
import { defaultKeyName } from '../core/object-encryption.ts'
import { ClusterError } from '../errors.ts'
import { envelopeKeyFingerprint, keyFingerprint, openEnvelope, sealEnvelope } from '../protocol/envelope.ts'
import type { Kms } from '../world.ts'
import { writeFileDurably } from './durable-file.ts'

/** Visible ASCII, so that a name fits a header and a log line. */
const keyName = z.string().regex(/^[\x21-\x7e]{1,256}$/)
const keyList = z.array(z.string().regex(/^[0-9a-f]{64}$/)).min(1)

const fileSchema = z.discriminatedUnion('format', [
  z.object({ format: z.literal(1), keys: keyList }),
  z.object({ format: z.literal(2), keys: keyList, named: z.record(keyName, keyList) }),
])

interface KeyFile {
  readonly keys: readonly string[]
  readonly named: Readonly<Record<string, readonly string[]>>
}

/**
 * Creates the file with one random key and the named keys unless it exists; adds the named keys that an existing one
 * lacks. `named` absent: a new file gets the default key, an existing one stays as it is.
 */
export async function createFileKms(
  path: string,
  options: { named?: readonly string[] } = {},
): Promise<void> {
  const fresh = { keys: [newKey()], named: newKeys(options.named ?? [defaultKeyName]) }
  await writeFileDurably(path, render(fresh), { exclusive: true })
  await addNamedKeys(path, options.named ?? [])
}

/** Adds named keys to a key store; those it has stay. Throws an Error when a name or the file is malformed. */
export async function addNamedKeys(path: string, names: readonly string[]): Promise<void> {
  const file = parse(path, await readFile(path, 'utf8'))
  const missing = names.filter((name) => !Object.hasOwn(file.named, name))
  if (missing.length === 0) return
  await replace(path, { ...file, named: { ...file.named, ...newKeys(missing) } })
}

/** Destroys a named key for good. Throws an Error when there is none of that name. */
export async function destroyNamedKey(path: string, name: string): Promise<void> {
  const file = parse(path, await readFile(path, 'utf8'))
  if (!Object.hasOwn(file.named, name)) throw new Error(`${path} holds no key ${name}`)
  const { [name]: _, ...named } = file.named
  await replace(path, { ...file, named })
}

/** Names of the keys that clients may choose. */
export async function namedKeys(path: string): Promise<readonly string[]> {
  return Object.keys(parse(path, await readFile(path, 'utf8')).named)
}

/** Opens the file; throws an Error that names it when it is missing or malformed, never quoting its content. */
export function openFileKms(path: string): Kms {
  const ring = new FileRing(path)
  return {
    wrap: async (secret, context, name) => sealEnvelope(await ring.wrapping(name), secret, context),
    unwrap: async (envelope, context, name) =>
      openEnvelope(await ring.unwrapping(envelope, name), envelope, context),
  }
}

/** The keys of a file, read again when it was replaced. */
class FileRing {
  readonly #path: string
  #keys: KeyRing
  #seen: Stats | undefined

  constructor(path: string) {
    this.#path = path
    this.#keys = new KeyRing(parse(path, readFileSync(path, 'utf8')))
  }

  async wrapping(name: string | undefined): Promise<Buffer> {
    return (await this.#current()).wrapping(name)
  }

  async unwrapping(envelope: Uint8Array, name: string | undefined): Promise<Buffer> {
    return (await this.#current()).unwrapping(envelope, name)
  }

  async #current(): Promise<KeyRing> {
    try {
      const now = await stat(this.#path)
      if (this.#seen === undefined || isOther(now, this.#seen)) {
        this.#keys = new KeyRing(parse(this.#path, await readFile(this.#path, 'utf8')))
        this.#seen = now
      }
      return this.#keys
    } catch (cause) {
      throw new ClusterError('KmsUnavailable', 'the key store cannot be read', { cause })
    }
  }
}

class KeyRing {
  readonly #own: readonly Buffer[]
  readonly #named: ReadonlyMap<string, readonly Buffer[]>

  constructor(file: KeyFile) {
    const bytes = (keys: readonly string[]) => keys.map((hex) => Buffer.from(hex, 'hex'))
    this.#own = bytes(file.keys)
    this.#named = new Map(Object.entries(file.named).map(([name, keys]) => [name, bytes(keys)]))
  }

  wrapping(name: string | undefined): Buffer {
    const [first] = this.#list(name)
    if (first === undefined) throw new ClusterError('Internal', 'a key list of the key store is empty')
    return first
  }

  unwrapping(envelope: Uint8Array, name: string | undefined): Buffer {
    const fingerprint = envelopeKeyFingerprint(envelope)
    const key = this.#list(name).find((candidate) => keyFingerprint(candidate).equals(fingerprint))
    if (key !== undefined) return key
    throw new ClusterError('DecryptionFailed', `no key ${fingerprint.toString('hex')} in the key store`)
  }

  #list(name: string | undefined): readonly Buffer[] {
    if (name === undefined) return this.#own
    const keys = this.#named.get(name)
    if (keys !== undefined) return keys
    throw new ClusterError('KmsKeyNotFound', 'the key store has no key of that name', {
      details: { keyId: name },
    })
  }
}

function parse(path: string, text: string): KeyFile {
  const parsed = fileSchema.safeParse(parseJson(text))
  if (!parsed.success) throw new Error(`${path} is not a key store of format 1 or 2`)
  const { data } = parsed
  return { keys: data.keys, named: data.format === 1 ? {} : data.named }
}

/** Undefined when it is no JSON: the parser's own error would quote the file. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function render({ keys, named }: KeyFile): string {
  return JSON.stringify(fileSchema.parse({ format: 2, keys, named }))
}

async function replace(path: string, file: KeyFile): Promise<void> {
  await writeFileDurably(path, render(file), { mode: 0o600 })
}

function newKey(): string {
  return randomBytes(32).toString('hex')
}

function newKeys(names: readonly string[]): Record<string, string[]> {
  return Object.fromEntries(names.map((name) => [name, [newKey()]]))
}

function isOther(now: Stats, seen: Stats): boolean {
  return now.ino !== seen.ino || now.mtimeMs !== seen.mtimeMs || now.size !== seen.size
}
