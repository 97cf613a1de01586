/**
 * The owner's key store as a file: for the local federation and small installations.
 *
 * The file holds the owner's keys; the first one wraps, all of them unwrap, so that a key can be rotated. Whoever
 * reads this file reads every object: it stays with the owner, never on a storage operator's machine.
 */
import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { ClusterError } from '../errors.ts'
import { keyFingerprint, openEnvelope, sealEnvelope } from '../protocol/envelope.ts'
import type { Kms } from '../world.ts'
import { writeFileDurably } from './durable-file.ts'

const FINGERPRINT_OFFSET = 2

const fileSchema = z.object({
  format: z.literal(1),
  keys: z.array(z.string().regex(/^[0-9a-f]{64}$/)).min(1),
})

/** Creates the file with one random key unless it exists. */
export async function createFileKms(path: string): Promise<void> {
  const content = JSON.stringify({ format: 1, keys: [randomBytes(32).toString('hex')] })
  await writeFileDurably(path, content, { exclusive: true })
}

/** Opens the file; throws an Error that names it when it is missing or malformed, never quoting its content. */
export function openFileKms(path: string): Kms {
  const parsed = fileSchema.safeParse(JSON.parse(readFileSync(path, 'utf8')))
  if (!parsed.success) throw new Error(`${path} is not a key store of format 1`)
  const keys = parsed.data.keys.map((hex) => Buffer.from(hex, 'hex'))
  const byFingerprint = new Map(keys.map((key) => [keyFingerprint(key).toString('hex'), key]))
  const wrapping = keys[0]
  if (wrapping === undefined) throw new Error(`${path} holds no key`)
  return {
    wrap: async (secret, context) => sealEnvelope(wrapping, secret, context),
    unwrap: async (envelope, context) => {
      const fingerprint = Buffer.from(envelope.subarray(FINGERPRINT_OFFSET, FINGERPRINT_OFFSET + 8)).toString(
        'hex',
      )
      const key = byFingerprint.get(fingerprint)
      if (key === undefined)
        throw new ClusterError('DecryptionFailed', `no key ${fingerprint} in the key store`)
      return openEnvelope(key, envelope, context)
    },
  }
}
