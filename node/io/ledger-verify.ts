/**
 * Verifies the journals of a directory offline: chains over terms, links, signers, archived heads.
 *
 * Invariant: reads only, talks to nobody, trusts nothing but the public keys in the maps that it is given (the
 * genesis document, later maps for members that joined since). Every break is named with group, journal and block.
 * Leaves to others: hashes and signatures of one journal (ledger-walk.ts), the command line.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import Corestore from 'corestore'
import type { ClusterMap } from '../core/cluster-map.ts'
import type { JournalHead, JournalManifest } from '../core/journal.ts'
import { toHex } from '../core/journal-block.ts'
import { type ArchivedHead, parseArchivedHead } from './auditor-archive.ts'
import { fromHypercoreManifest, journalKeyOf } from './ledger.ts'
import { certificateFault } from './ledger-tree.ts'
import { type WalkedEvent, type WalkedJournal, walkJournal } from './ledger-walk.ts'

export interface VerifyOptions {
  /** Of an auditor or a node: holds `journals/` (or is that folder itself) and perhaps `heads.jsonl`. */
  readonly directory: string
  /** The map of the genesis document, and later ones: whose keys may sign for which group. */
  readonly maps: readonly ClusterMap[]
  readonly ownerKey?: Uint8Array | undefined
  /** Every event in order, group by group; needs the owner's key. */
  readonly onEvent?: ((event: WalkedEvent) => void) | undefined
}

/** A break. `sequence` and `key` name the journal, when it is one journal's. */
export interface JournalFault {
  readonly groupId: string | undefined
  readonly sequence: number | undefined
  readonly key: string | undefined
  readonly message: string
}

export interface VerifiedGroup {
  readonly groupId: string
  readonly journals: readonly WalkedJournal[]
  readonly firstIndex: number
  readonly lastIndex: number
  readonly blocks: number
  readonly erasedBodies: number
}

export interface JournalReport {
  readonly ok: boolean
  readonly groups: readonly VerifiedGroup[]
  /** Heads of an auditor's archive that were checked. */
  readonly archivedHeads: number
  readonly faults: readonly JournalFault[]
}

interface Found {
  readonly key: string
  readonly manifest: JournalManifest
  readonly discoveryKey: Buffer
}

/** Verifies all journals in a directory. Throws only when there is no such directory. */
export async function verifyJournals(options: VerifyOptions): Promise<JournalReport> {
  const inner = join(options.directory, 'journals')
  const directory = existsSync(join(inner, 'db')) ? inner : options.directory
  if (!existsSync(join(directory, 'db'))) throw new Error(`no journals in ${options.directory}`)
  const faults: JournalFault[] = []
  const archive = readArchive(join(options.directory, 'heads.jsonl'), faults)
  const store = new Corestore(directory, { readOnly: true })
  try {
    await store.ready()
    const found = await listJournals(store, faults)
    const groups: VerifiedGroup[] = []
    for (const groupId of [...found.keys()].sort()) {
      groups.push(
        await verifyGroup(store, { groupId, found: found.get(groupId) ?? [], archive }, options, faults),
      )
    }
    checkArchiveIsStored(found, archive, faults)
    if (groups.length === 0) faults.push({ ...nowhere, message: 'there are no journals at all' })
    return { ok: faults.length === 0, groups, archivedHeads: archive.length, faults }
  } finally {
    await store.close()
  }
}

const nowhere = { groupId: undefined, sequence: undefined, key: undefined }

async function listJournals(store: Corestore, faults: JournalFault[]): Promise<Map<string, Found[]>> {
  const groups = new Map<string, Found[]>()
  for await (const discoveryKey of store.list()) {
    const auth = await store.getAuth(discoveryKey)
    const manifest = fromHypercoreManifest(auth?.manifest ?? null)
    const key = auth === null ? '' : toHex(auth.key)
    if (manifest === undefined) {
      // Journals whose manifest has not arrived have no blocks either; anything else does not belong here.
      if (auth?.manifest)
        faults.push({ ...nowhere, key, message: 'a hypercore that is no journal lies among them' })
      continue
    }
    if (journalKeyOf(manifest) !== key) {
      faults.push({
        groupId: manifest.groupId,
        sequence: manifest.sequence,
        key,
        message: 'its manifest was changed',
      })
      continue
    }
    const some = groups.get(manifest.groupId) ?? []
    some.push({ key, manifest, discoveryKey })
    groups.set(manifest.groupId, some)
  }
  return groups
}

async function verifyGroup(
  store: Corestore,
  group: { groupId: string; found: Found[]; archive: readonly ArchivedHead[] },
  options: VerifyOptions,
  faults: JournalFault[],
): Promise<VerifiedGroup> {
  const { groupId } = group
  const walked: WalkedJournal[] = []
  const report = (journal: { key: string; manifest: JournalManifest }, message: string): void => {
    faults.push({ groupId, sequence: journal.manifest.sequence, key: journal.key, message })
  }
  for (const journal of group.found.sort((a, b) => a.manifest.sequence - b.manifest.sequence)) {
    const heads = group.archive.filter(({ key }) => key === journal.key)
    const links = group.found.flatMap(({ manifest }) =>
      manifest.previous?.key === journal.key ? [manifest.previous] : [],
    )
    const lengths = new Set([...heads, ...links].map(({ length }) => length))
    const storage = await store.storage.resumeCore(journal.discoveryKey)
    if (storage === null) continue
    const result = await walkJournal(storage, journal, {
      ownerKey: options.ownerKey,
      onEvent: options.onEvent,
      lengths,
    })
    await storage.close()
    // Opened by a leader that got no quorum for it: it says nothing.
    if (result.length === 0 && heads.length === 0 && links.length === 0) continue
    walked.push(result)
    for (const message of result.faults) report(journal, message)
    const signers = signersFault(journal.manifest, options.maps)
    if (signers !== undefined) report(journal, signers)
    for (const head of heads) checkArchived(result, head, (message) => report(journal, message))
  }
  checkChain(walked, report)
  return {
    groupId,
    journals: walked,
    firstIndex: walked[0]?.firstIndex ?? 0,
    lastIndex: walked.at(-1)?.lastIndex ?? 0,
    blocks: walked.reduce((sum, { length }) => sum + length, 0),
    erasedBodies: walked.reduce((sum, { erasedBodies }) => sum + erasedBodies, 0),
  }
}

/** Signers must be exactly the group's voters in one of the maps: a quorum of fewer or of others proves nothing. */
export function signersFault(
  { groupId, signers }: JournalManifest,
  maps: readonly ClusterMap[],
): string | undefined {
  const wanted = [...signers].sort().join()
  const known = maps.flatMap((map) =>
    map.groups.filter((group) => group.groupId === groupId).map((group) => ({ map, group })),
  )
  if (known.length === 0) return `the genesis document knows no group ${groupId}`
  for (const { map, group } of known) {
    const keys = group.members
      .filter(({ learner }) => !learner)
      .map(({ nodeId }) => map.nodes.find((node) => node.nodeId === nodeId)?.journalKey ?? '')
    if (keys.sort().join() === wanted) return undefined
  }
  const all = new Set(maps.flatMap((map) => map.nodes.map(({ journalKey }) => journalKey)))
  const foreign = signers.find((signer) => !all.has(signer))
  if (foreign !== undefined)
    return `foreign signer ${foreign.slice(0, 16)}: no node of the given maps has this key`
  return `its signers are not the voters of ${groupId} in any of the given maps`
}

function checkChain(
  journals: readonly WalkedJournal[],
  report: (journal: WalkedJournal, message: string) => void,
): void {
  let before: WalkedJournal | undefined
  for (const journal of journals) {
    const { sequence, previous, term } = journal.manifest
    if (before !== undefined && before.manifest.sequence === sequence) {
      report(journal, `forked: journal ${before.key.slice(0, 16)} has the same place in the chain`)
      continue
    }
    const expected = (before?.manifest.sequence ?? -1) + 1
    if (sequence !== expected) report(journal, `journals ${expected} to ${sequence - 1} are missing`)
    else if (before !== undefined) {
      if (previous?.key !== before.key)
        report(journal, 'forked: it links to a journal that is not the one before it')
      else checkLink(before, previous, (message) => report(journal, message))
      if (journal.firstIndex !== before.lastIndex + 1 && journal.length > 0) {
        report(journal, `entries ${before.lastIndex + 1} to ${journal.firstIndex - 1} are in no journal`)
      }
      if (term < before.manifest.term) report(journal, `its term ${term} is before ${before.manifest.term}`)
    }
    before = journal
  }
}

function checkLink(before: WalkedJournal, link: JournalHead, report: (message: string) => void): void {
  const place = `journal ${before.manifest.sequence}`
  if (before.length < link.length) {
    report(
      `${place} is truncated: it has ${before.length} of ${link.length} blocks that this one closes it at`,
    )
  } else if (before.length > link.length) {
    report(`forked: ${place} has ${before.length} co-signed blocks, this one closes it at ${link.length}`)
  }
  const hash = before.treeHashes.get(link.length)
  if (hash !== undefined && hash !== link.treeHash)
    report(`forked: ${place} has other blocks than this one links to`)
}

function checkArchived(journal: WalkedJournal, head: ArchivedHead, report: (message: string) => void): void {
  const fault = certificateFault(journal.key, journal.manifest, head, Buffer.from(head.certificate, 'hex'))
  if (fault !== undefined) {
    report(`archived head of length ${head.length}: ${fault}`)
    return
  }
  if (head.length > journal.length) {
    report(
      `truncated: it has ${journal.length} blocks, a quorum signed ${head.length} by ${isoTime(head.seenMs)}`,
    )
    return
  }
  const hash = journal.treeHashes.get(head.length)
  if (hash !== undefined && hash !== head.treeHash) {
    report(`forked: a quorum signed two different trees of length ${head.length}`)
  }
}

function checkArchiveIsStored(
  found: ReadonlyMap<string, readonly Found[]>,
  archive: readonly ArchivedHead[],
  faults: JournalFault[],
): void {
  const stored = new Set([...found.values()].flat().map(({ key }) => key))
  const missing = new Map(archive.filter(({ key }) => !stored.has(key)).map((head) => [head.key, head]))
  for (const { key, groupId, sequence } of missing.values()) {
    faults.push({ groupId, sequence, key, message: 'it is in the archive of heads and not stored' })
  }
}

function readArchive(path: string, faults: JournalFault[]): ArchivedHead[] {
  if (!existsSync(path)) return []
  const lines = readFileSync(path, 'utf8').split('\n')
  // The text behind the last line feed was being written when the process died.
  lines.pop()
  const heads: ArchivedHead[] = []
  for (const [at, line] of lines.entries()) {
    const head = parseArchivedHead(line)
    if (head === undefined) faults.push({ ...nowhere, message: `heads.jsonl line ${at + 1} is damaged` })
    else heads.push(head)
  }
  return heads
}

function isoTime(ms: number): string {
  return new Date(ms).toISOString()
}
