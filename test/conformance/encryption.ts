/** Server-side encryption as clients write it: keys, headers, and the answers that carry them. */
import { createHash } from 'node:crypto'
import type { Answer } from './s3-client.ts'

const prefix = 'x-amz-server-side-encryption-customer-'
const sourcePrefix = 'x-amz-copy-source-server-side-encryption-customer-'

/** A customer's key of one repeated byte: Base64 of it and of its MD5. */
export function customerKey(byte: number): { key: string; md5: string } {
  const bytes = Buffer.alloc(32, byte)
  return { key: bytes.toString('base64'), md5: createHash('md5').update(bytes).digest('base64') }
}

export function sseC(byte: number): Record<string, string> {
  const { key, md5 } = customerKey(byte)
  return { [`${prefix}algorithm`]: 'AES256', [`${prefix}key`]: key, [`${prefix}key-md5`]: md5 }
}

export function sourceSseC(byte: number): Record<string, string> {
  const { key, md5 } = customerKey(byte)
  return {
    [`${sourcePrefix}algorithm`]: 'AES256',
    [`${sourcePrefix}key`]: key,
    [`${sourcePrefix}key-md5`]: md5,
  }
}

export function sseKms(keyId?: string): Record<string, string> {
  return {
    'x-amz-server-side-encryption': 'aws:kms',
    ...(keyId === undefined ? {} : { 'x-amz-server-side-encryption-aws-kms-key-id': keyId }),
  }
}

export const sseS3 = { 'x-amz-server-side-encryption': 'AES256' } as const

/** Every header of an answer that speaks of encryption. */
export function encryptionOf(answer: Answer): Record<string, string> {
  const found = Object.entries(answer.headers).filter(([name]) => name.includes('server-side-encryption'))
  return Object.fromEntries(found.map(([name, value]) => [name, String(value)]))
}

/** What answers about an object under this customer's key say. */
export function saysSseC(byte: number): Record<string, string> {
  return { [`${prefix}algorithm`]: 'AES256', [`${prefix}key-md5`]: customerKey(byte).md5 }
}
