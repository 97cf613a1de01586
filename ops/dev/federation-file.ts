/**
 * `federation.json`: what clients, tests and operators need to find a running local federation.
 *
 * Complete and replaced as a whole; it exists while the federation serves. It holds secret keys: mode 0600.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { z } from 'zod'
import { writeFileDurably } from '../../node/io/durable-file.ts'
import type { Layout } from './layout.ts'

const processShape = { pid: z.number().int(), adminUrl: z.string() }

const federationSchema = z.object({
  endpoint: z.string(),
  region: z.string(),
  users: z.array(
    z.object({
      name: z.string(),
      userId: z.string(),
      accessKeyId: z.string(),
      secretAccessKey: z.string(),
      email: z.string().optional(),
    }),
  ),
  /** Keys of the owner that clients may name. */
  kmsKeyNames: z.array(z.string()).default([]),
  gateway: z.object(processShape),
  nodes: z.array(z.object({ id: z.string(), operator: z.string(), site: z.string(), ...processShape })),
  /** Processes that keep no data of clients. */
  auditor: z.object(processShape).optional(),
  dht: z.object(processShape).optional(),
})

export type FederationFile = z.infer<typeof federationSchema>

export async function writeFederationFile(layout: Layout, file: FederationFile): Promise<void> {
  await writeFileDurably(layout.federationFile, `${JSON.stringify(file, null, 2)}\n`, { mode: 0o600 })
}

export function removeFederationFile(layout: Layout): void {
  rmSync(layout.federationFile, { force: true })
}

/** Throws, saying how to start one, when no federation serves from this data directory. */
export function readFederationFile(layout: Layout): FederationFile {
  if (!existsSync(layout.federationFile)) {
    throw new Error(`no local federation serves from ${layout.root}; start one with: npm start`)
  }
  return parseFederationFile(readFileSync(layout.federationFile, 'utf8'))
}

/** Throws when the text is not a federation.json. */
export function parseFederationFile(text: string): FederationFile {
  return federationSchema.parse(JSON.parse(text))
}
