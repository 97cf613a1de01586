/**
 * Ed25519 key pairs of a process: creation, storage in a directory, signing and verifying.
 *
 * Invariant: a key file that exists is never overwritten, and a key is on disk (fsync of file and directory) before
 * anyone sees its public half. Private halves leave this file only as a KeyObject (TLS, signatures) or as the sodium
 * secret key that Noise wants; they are never logged and never serialised elsewhere.
 * Leaves to others: which keys are admitted (the cluster map), what is signed.
 */
import {
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
  verify,
} from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeFileDurably } from './durable-file.ts'

export const identityLimits = {
  /** Public keys parsed for verification are kept: a federation has some hundreds of nodes and operators. */
  cachedPublicKeys: 4_096,
} as const

/** RFC 8410: everything of a DER-encoded Ed25519 key but its last 32 bytes. */
const pkcs8Prefix = Buffer.from('302e020100300506032b657004220420', 'hex')
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex')

/** What a key is for. One file each, so that one can be rotated or kept offline without the others. */
export type KeyUse = 'node' | 'journal' | 'operator'

/** A key pair in memory. `publicKey`: raw 32 bytes, lower-case hex, as everywhere in the cluster map. */
export interface KeyPair {
  readonly publicKey: string
  readonly privateKey: KeyObject
  /** Ed25519 signature of `bytes`, 64 bytes in hex. */
  sign(bytes: Uint8Array): string
  /** The pair as libsodium, hyperdht and hypercore want it: 32-byte public, 64-byte secret (seed, public). */
  sodium(): { publicKey: Buffer; secretKey: Buffer }
}

/** The keys of one process: `node` is its TLS and Noise identity, `journal` signs journal heads. */
export interface ProcessKeys {
  readonly node: KeyPair
  readonly journal: KeyPair
}

interface StoredKey {
  readonly format: 1
  readonly algorithm: 'ed25519'
  readonly use: KeyUse
  readonly publicKey: string
  readonly seed: string
}

/** A new key pair, in memory only. */
export function generateKeyPair(): KeyPair {
  const { privateKey } = generateKeyPairSync('ed25519')
  return fromPrivateKey(privateKey)
}

/** The key pair of a 32-byte seed (RFC 8032); throws on any other length. */
export function keyPairFromSeed(seed: Uint8Array): KeyPair {
  if (seed.length !== 32) throw new Error(`an Ed25519 seed has 32 bytes, got ${seed.length}`)
  return fromPrivateKey(
    createPrivateKey({ key: Buffer.concat([pkcs8Prefix, seed]), format: 'der', type: 'pkcs8' }),
  )
}

/** The raw public key (hex) of an Ed25519 KeyObject, undefined when it is of another type. */
export function rawPublicKey(key: KeyObject): string | undefined {
  if (key.asymmetricKeyType !== 'ed25519') return undefined
  return key.export({ format: 'der', type: 'spki' }).subarray(-32).toString('hex')
}

/**
 * Whether `signatureHex` is the signature of `bytes` by `publicKeyHex` (raw 32 bytes, hex). Malformed keys and
 * signatures are false, never thrown: both arrive from the network.
 */
export function ed25519Verify(publicKeyHex: string, bytes: Uint8Array, signatureHex: string): boolean {
  if (!/^[0-9a-f]{128}$/.test(signatureHex)) return false
  const key = publicKeyObject(publicKeyHex)
  return key !== undefined && verify(null, bytes, key, Buffer.from(signatureHex, 'hex'))
}

/** Ed25519 signature (hex) of `bytes` by a private key. */
export function ed25519Sign(privateKey: KeyObject, bytes: Uint8Array): string {
  return sign(null, bytes, privateKey).toString('hex')
}

/** Loads `<directory>/<use>.key`, creating it with a new key when it is not there. The directory must exist. */
export async function loadOrCreateKey(directory: string, use: KeyUse): Promise<KeyPair> {
  return (await loadKey(directory, use)) ?? (await createKey(directory, use))
}

/** Loads `node.key` and `journal.key` of a process, creating what is missing. */
export async function loadOrCreateProcessKeys(directory: string): Promise<ProcessKeys> {
  return {
    node: await loadOrCreateKey(directory, 'node'),
    journal: await loadOrCreateKey(directory, 'journal'),
  }
}

/** The stored key, or undefined when the file does not exist. Throws when it is damaged or of another use. */
export async function loadKey(directory: string, use: KeyUse): Promise<KeyPair | undefined> {
  const path = keyPath(directory, use)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
  return parseStoredKey(text, path, use)
}

async function createKey(directory: string, use: KeyUse): Promise<KeyPair> {
  const seed = randomBytes(32)
  const pair = keyPairFromSeed(seed)
  const stored: StoredKey = {
    format: 1,
    algorithm: 'ed25519',
    use,
    publicKey: pair.publicKey,
    seed: seed.toString('hex'),
  }
  const created = await writeFileDurably(keyPath(directory, use), `${JSON.stringify(stored)}\n`, {
    mode: 0o600,
    exclusive: true,
  })
  if (created) return pair
  // Another process of this directory was first: its key counts.
  const winner = await loadKey(directory, use)
  if (winner === undefined) throw new Error(`${keyPath(directory, use)} came and went`)
  return winner
}

function parseStoredKey(text: string, path: string, use: KeyUse): KeyPair {
  let stored: Partial<StoredKey>
  try {
    stored = JSON.parse(text)
  } catch {
    // The parser's message would quote the text, and with it the seed.
    throw new Error(`${path} is not a key file: no JSON`)
  }
  if (stored.format !== 1 || stored.algorithm !== 'ed25519') throw new Error(`${path} has an unknown format`)
  if (stored.use !== use) throw new Error(`${path} is a ${stored.use} key, not a ${use} key`)
  if (!/^[0-9a-f]{64}$/.test(stored.seed ?? '')) throw new Error(`${path} has no valid seed`)
  const pair = keyPairFromSeed(Buffer.from(stored.seed ?? '', 'hex'))
  if (pair.publicKey !== stored.publicKey)
    throw new Error(`${path}: public key and seed do not belong together`)
  return pair
}

function keyPath(directory: string, use: KeyUse): string {
  return join(directory, `${use}.key`)
}

function fromPrivateKey(privateKey: KeyObject): KeyPair {
  const publicKey = rawPublicKey(createPublicKey(privateKey))
  if (publicKey === undefined) throw new Error('not an Ed25519 key')
  return {
    publicKey,
    privateKey,
    sign: (bytes) => ed25519Sign(privateKey, bytes),
    sodium: () => {
      const seed = privateKey.export({ format: 'der', type: 'pkcs8' }).subarray(-32)
      const raw = Buffer.from(publicKey, 'hex')
      return { publicKey: raw, secretKey: Buffer.concat([seed, raw]) }
    },
  }
}

/** Parsing a key costs more than half of a verification. */
const parsedPublicKeys = new Map<string, KeyObject>()

function publicKeyObject(publicKeyHex: string): KeyObject | undefined {
  const known = parsedPublicKeys.get(publicKeyHex)
  if (known) return known
  if (!/^[0-9a-f]{64}$/.test(publicKeyHex)) return undefined
  const key = createPublicKey({
    key: Buffer.concat([spkiPrefix, Buffer.from(publicKeyHex, 'hex')]),
    format: 'der',
    type: 'spki',
  })
  if (parsedPublicKeys.size >= identityLimits.cachedPublicKeys) parsedPublicKeys.clear()
  parsedPublicKeys.set(publicKeyHex, key)
  return key
}
