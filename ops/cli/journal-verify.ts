/**
 * `bundescloud journal verify <folder>`: checks journals offline and prints what holds and what does not.
 *
 * Exit code 0: every chain, link, hash and quorum holds. 1: something does not, each break on a line of its own.
 * With the owner's key it also opens the events: `--show` prints all, `--key` the custody record of one object.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Command } from 'commander'
import type { ClusterMap } from '../../node/core/cluster-map.ts'
import { verifyGenesis } from '../../node/core/genesis.ts'
import { ed25519Verify } from '../../node/io/identity.ts'
import { type JournalReport, verifyJournals as verifyDirectory } from '../../node/io/ledger-verify.ts'
import type { WalkedEvent } from '../../node/io/ledger-walk.ts'

export interface VerifyJournalsOptions {
  readonly directory: string
  /** The founding document as read from its file; its operators' signatures are checked. */
  readonly genesis: unknown
  /** Maps of later epochs, for members that joined since the founding. */
  readonly maps?: readonly ClusterMap[]
  /** The owner's journal key, 32 bytes. */
  readonly journalKey?: Uint8Array
  readonly onEvent?: (event: WalkedEvent) => void
}

/**
 * Verifies all journals in a directory with nothing but public keys. Throws when there is no such directory, and
 * BadStatement when the founding document is not what its operators signed.
 */
export async function verifyJournals(options: VerifyJournalsOptions): Promise<JournalReport> {
  const genesis = verifyGenesis(options.genesis, ed25519Verify)
  return verifyDirectory({
    directory: options.directory,
    maps: [genesis.map, ...(options.maps ?? [])],
    ownerKey: options.journalKey,
    onEvent: options.onEvent,
  })
}

interface CommandOptions {
  readonly genesis?: string
  readonly map: readonly string[]
  readonly journalKey?: string
  readonly show?: boolean
  readonly key?: string
  readonly json?: boolean
}

/** The command, for `bundescloud journal`. */
export function journalVerifyCommand(): Command {
  return new Command('verify')
    .description('check journals offline, with nothing but the genesis and public keys')
    .argument('<folder>', 'of an auditor or a node')
    .option('--genesis <file>', 'founding document (default: genesis.json in or above the folder)')
    .option(
      '--map <file>',
      'a later cluster map (repeatable)',
      (file, files: string[]) => [...files, file],
      [],
    )
    .option('--journal-key <file>', "the owner's key: 32 bytes in hex; opens the events")
    .option('--show', 'print every event')
    .option('--key <versionId|objectKey>', 'print the custody record of one object')
    .option('--json', 'for programs')
    .action(async (folder: string, options: CommandOptions) => {
      process.exitCode = await runVerify(folder, options)
    })
}

/** Prints the report; returns the exit code. */
export async function runVerify(folder: string, options: CommandOptions): Promise<0 | 1> {
  const print = (line: string): void => {
    process.stdout.write(`${line}\n`)
  }
  const genesis: unknown = readJson(options.genesis ?? findGenesis(folder))
  const journalKey = options.journalKey === undefined ? undefined : readKey(options.journalKey)
  const wantsEvents = options.show === true || options.key !== undefined
  if (wantsEvents && journalKey === undefined) throw new Error('--show and --key need --journal-key')
  const isWanted = options.key === undefined ? () => true : custodyOf(options.key)
  const report = await verifyJournals({
    directory: folder,
    genesis,
    maps: options.map.map((file) => readJson<ClusterMap>(file)),
    ...(journalKey === undefined ? {} : { journalKey }),
    ...(wantsEvents
      ? {
          onEvent: (walked: WalkedEvent) => {
            if (isWanted(walked.event)) print(JSON.stringify({ group: walked.groupId, ...walked.event }))
          },
        }
      : {}),
  })
  if (options.json) print(JSON.stringify(summary(report)))
  else printReport(report, print)
  return report.ok ? 0 : 1
}

function printReport(report: JournalReport, print: (line: string) => void): void {
  for (const { groupId, journals, firstIndex, lastIndex, blocks, erasedBodies } of report.groups) {
    const erased = erasedBodies === 0 ? '' : `, ${erasedBodies} bodies erased`
    print(
      `${groupId}: ${journals.length} journals, entries ${firstIndex} to ${lastIndex}, ${blocks} blocks${erased}`,
    )
  }
  if (report.archivedHeads > 0) print(`${report.archivedHeads} archived heads checked`)
  for (const fault of report.faults) print(`BROKEN ${faultLine(fault)}`)
  print(report.ok ? 'verified: every block was vouched for by a majority of its replicas' : 'NOT verified')
}

function faultLine({ groupId, sequence, key, message }: JournalReport['faults'][number]): string {
  const place = [groupId, sequence === undefined ? undefined : `journal ${sequence}`, key?.slice(0, 16)]
  return `${place.filter((part) => part !== undefined).join(' ')}: ${message}`
}

/** The report without buffers and maps. */
function summary(report: JournalReport): object {
  return {
    ...report,
    groups: report.groups.map(({ journals, ...group }) => ({
      ...group,
      journals: journals.map(({ key, manifest, length, treeHash, firstIndex, lastIndex, erasedBodies }) => ({
        ...{ key, sequence: manifest.sequence, term: manifest.term, signers: manifest.signers },
        ...{ length, treeHash, firstIndex, lastIndex, erasedBodies },
      })),
    })),
  }
}

/**
 * Which events belong to the custody record of an object, by its key or by the id of a version: what names it, and
 * what happened to the blobs and uploads that those events named. Must see the events in order.
 */
export function custodyOf(name: string): (event: Readonly<Record<string, unknown>>) => boolean {
  const related = new Set([name])
  return (event) => {
    const { versionId, markerId, key, uploadId, blobId } = event
    const ids = [versionId, markerId, key, uploadId, blobId, ...blobIdsOf(event)]
    if (!ids.some((id) => typeof id === 'string' && related.has(id))) return false
    // By version, a key is not followed: other versions share it.
    const followed = [uploadId, blobId, ...blobIdsOf(event)]
    for (const id of followed) if (typeof id === 'string' && id !== '') related.add(id)
    return true
  }
}

function blobIdsOf(event: Readonly<Record<string, unknown>>): unknown[] {
  const blobs = [event.blob, ...(Array.isArray(event.blobs) ? event.blobs : [])]
  const ids = Array.isArray(event.blobIds) ? event.blobIds : []
  return [
    ...ids,
    ...blobs.map((blob) =>
      typeof blob === 'object' && blob !== null ? Reflect.get(blob, 'blobId') : undefined,
    ),
  ]
}

/** `genesis.json` beside the journals or in one of the folders above: a local federation keeps it at its root. */
function findGenesis(folder: string): string {
  for (const up of ['.', '..', '../..', '../../..']) {
    const path = join(folder, up, 'genesis.json')
    if (existsSync(path)) return path
  }
  throw new Error(`no genesis.json in or above ${folder}; name it with --genesis`)
}

function readJson<T>(file: string): T {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function readKey(file: string): Uint8Array {
  const text = readFileSync(file, 'utf8').trim()
  if (!/^[0-9a-f]{64}$/i.test(text)) throw new Error(`${file} does not hold 32 bytes in hex`)
  return Uint8Array.fromHex(text)
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  try {
    await journalVerifyCommand().parseAsync(process.argv)
  } catch (error) {
    process.stderr.write(`bundescloud: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
