/**
 * The catalog the slow and obvious way: everything in plain maps and lists, every answer that was ever given remembered.
 *
 * Knows nothing of rows, fences and counters, so that it can be wrong only where it and the catalog misread S3 alike.
 */
import { initialWriteRules, type Retention, type WriteRules } from '../../node/core/bucket-configuration.ts'
import type {
  Blob,
  CatalogCommand,
  CatalogReplies,
  Part,
  Upload,
  Version,
  WriteConditions,
} from '../../node/core/catalog-types.ts'

class Refusal extends Error {}

/** A version or a delete marker. */
export interface Entry {
  readonly id: string
  readonly versioned: boolean
  readonly modifiedMs: number
  readonly replaced: boolean
  /** Undefined: a delete marker. */
  readonly version: Version | undefined
  readonly ownerId: string
  readonly blobIds: readonly string[]
}

const dayMs = 86_400_000

interface StoredUpload {
  upload: Upload
  parts: Map<number, Part>
}

type Command<K extends CatalogCommand['kind']> = Extract<CatalogCommand, { kind: K }>

export class CatalogOracle {
  readonly buckets = new Map<string, { open: boolean; attempt: number; rules: WriteRules }>()
  /** Versions and markers of a key, newest first; the first is current. */
  readonly histories = new Map<string, Entry[]>()
  readonly uploads = new Map<string, StoredUpload>()
  /** Blobs in use: holders, and the object that they belong to. */
  readonly used = new Map<string, { blob: Blob; owner: string }>()
  readonly dead = new Set<string>()
  readonly garbage = new Set<string>()
  readonly #written = new Map<string, { modifiedMs: number; replaced: boolean; versioned: boolean }>()
  readonly #completed = new Map<string, CatalogReplies['complete-upload']>()
  readonly #endedUploads = new Set<string>()

  #leaderMs = 0

  /** The reply, or the code of the error. `leaderMs`: the leader's clock. */
  apply(command: CatalogCommand, leaderMs: number): unknown {
    this.#leaderMs = leaderMs
    const before = [new Map(this.used), new Set(this.dead), new Set(this.garbage)] as const
    try {
      return this.#run(command)
    } catch (error) {
      if (!(error instanceof Refusal)) throw error
      restore(this.used, before[0])
      restore(this.dead, before[1])
      restore(this.garbage, before[2])
      return { refused: error.message }
    }
  }

  #run(command: CatalogCommand): unknown {
    switch (command.kind) {
      case 'open-bucket':
        return this.#turn(command, true)
      case 'close-bucket': {
        const inBucket = (path: string) => path.startsWith(`${command.bucketId}/`)
        const attempt = this.buckets.get(command.bucketId)?.attempt ?? 0
        if (attempt > command.attempt) throw new Refusal('StaleBucket')
        const full = [...this.histories].filter(([, history]) => history.length > 0).map(([path]) => path)
        if ([...full, ...this.uploads.keys()].some(inBucket)) throw new Refusal('BucketNotEmpty')
        return this.#turn(command, false)
      }
      case 'set-write-rules': {
        const bucket = this.buckets.get(command.bucketId)
        if (bucket === undefined) throw new Refusal('NoSuchBucket')
        const [old, rules] = [bucket.rules, command.rules]
        if (rules.revision <= old.revision) return {}
        const ends =
          (old.versioning !== 'Off' && rules.versioning === 'Off') ||
          (old.objectLock !== undefined && rules.objectLock === undefined) ||
          (rules.objectLock !== undefined && rules.versioning !== 'Enabled')
        if (ends) throw new Refusal('WriteRulesConflict')
        bucket.rules = rules
        return {}
      }
      case 'put-version':
        return this.#put(command)
      case 'delete-object':
        return this.#delete(command)
      case 'delete-version':
        return this.#deleteVersion(command)
      case 'amend-version':
        return this.#amend(command)
      case 'create-upload': {
        const { upload } = command
        const path = `${command.bucketId}/${upload.key}|${upload.uploadId}`
        const rules = this.#rulesFor(command)
        if (this.#endedUploads.has(path)) throw new Refusal('NoSuchUpload')
        if (this.uploads.has(path)) return {}
        const locks = upload.retention !== undefined || upload.legalHold === true
        if (locks && rules.objectLock === undefined) throw new Refusal('NoObjectLock')
        this.uploads.set(path, { upload, parts: new Map() })
        return {}
      }
      case 'put-part':
        return this.#putPart(command)
      case 'complete-upload':
        return this.#complete(command)
      case 'abort-upload': {
        this.#requireOpen(command.bucketId)
        const [path, { parts }] = this.#uploadOf(command)
        for (const part of parts.values()) this.#end(part.blobId)
        this.#endUpload(path)
        return {}
      }
      case 'relocate-shard': {
        const { blobId, shardIndex, from, to } = command
        const entry = this.used.get(blobId)
        if (entry?.blob.kind !== 'sharded' || entry.blob.holders[shardIndex] === undefined)
          throw new Refusal('ShardNotFound')
        const holder = entry.blob.holders[shardIndex]
        if (entry.blob.generation !== command.generation) throw new Refusal('GenerationMismatch')
        if (holder !== from && holder !== to) throw new Refusal('GenerationMismatch')
        entry.blob = { ...entry.blob, holders: entry.blob.holders.with(shardIndex, to) }
        return {}
      }
      case 'abandon-blobs': {
        const referenced = [...new Set(command.blobIds)].filter((blobId) => this.used.has(blobId))
        for (const blobId of command.blobIds) if (!this.used.has(blobId)) this.dead.add(blobId)
        return { referenced }
      }
      case 'forget-garbage':
        for (const blobId of command.blobIds) this.garbage.delete(blobId)
        return {}
      case 'forget-fences':
      case 'forget-events':
        return { forgotten: 0 }
    }
  }

  #turn({ bucketId, attempt }: { bucketId: string; attempt: number }, open: boolean): object {
    const before = this.buckets.get(bucketId)
    if ((before?.attempt ?? 0) > attempt) throw new Refusal('StaleBucket')
    this.buckets.set(bucketId, { open, attempt, rules: before?.rules ?? initialWriteRules })
    return {}
  }

  #put(command: Command<'put-version'>): unknown {
    const { bucketId, version, blobs, conditions } = command
    const path = `${bucketId}/${version.key}`
    if (!this.#written.has(version.versionId)) {
      const rules = this.#rulesFor(command)
      this.#requireConditions(this.#current(path), conditions)
      this.#use(blobs, path)
      this.#install(path, version, rules)
    }
    return this.#putReply(bucketId, version.versionId)
  }

  #putReply(bucketId: string, versionId: string): object {
    const { modifiedMs, replaced, versioned } = this.#written.get(versionId) ?? fail()
    const off = !versioned && this.buckets.get(bucketId)?.rules.versioning === 'Off'
    const versioning = versioned ? 'Enabled' : 'Suspended'
    return { versionId, modifiedMs, replaced, ...(off ? {} : { versioning }) }
  }

  #delete(command: Command<'delete-object'>): unknown {
    const { bucketId, key, conditions, versionId, markerId, nowMs } = command
    const path = `${bucketId}/${key}`
    const markerReply = (id: string) => {
      const { replaced, versioned } = this.#written.get(id) ?? fail()
      return { existed: replaced, marker: { versionId: id, ...(versioned ? { versioned } : {}) } }
    }
    if (markerId !== undefined && this.#written.has(markerId)) return markerReply(markerId)
    const rules = this.#rulesFor(command)
    const current = this.#current(path)
    if (current?.version !== undefined && versionId !== undefined && current.id !== versionId) {
      throw new Refusal('ConditionalConflict')
    }
    this.#requireConditions(current, conditions)
    if (current?.version === undefined && versionId !== undefined) return { existed: false }
    if (rules.versioning === 'Off') {
      for (const entry of this.#historyOf(path)) this.#remove(entry, nowMs, false)
      this.histories.delete(path)
      return { existed: current !== undefined }
    }
    if (markerId === undefined) throw new Refusal('BadMessage')
    const marker = { id: markerId, version: undefined, ownerId: command.ownerId ?? '', blobIds: [] }
    this.#push(path, marker, { rules, atMs: nowMs })
    return markerReply(markerId)
  }

  #deleteVersion(command: Command<'delete-version'>): unknown {
    const { bucketId, key, versionId, conditions, nowMs } = command
    const path = `${bucketId}/${key}`
    this.#requireOpen(bucketId)
    const history = this.#historyOf(path)
    const entry = history.find((each) => each.id === versionId)
    if (entry === undefined) return { existed: false, wasMarker: false }
    if (entry.version !== undefined) this.#requireConditions(entry, { ...conditions, ifNoneMatch: 'never' })
    else if (Object.values(conditions).some((wanted) => wanted !== '*'))
      throw new Refusal('PreconditionFailed')
    this.#remove(entry, nowMs, command.bypassGovernance === true)
    this.histories.set(
      path,
      history.filter((each) => each !== entry),
    )
    return { existed: true, wasMarker: entry.version === undefined }
  }

  #amend(command: Command<'amend-version'>): unknown {
    const { change, amendId } = command
    const rules = this.#rulesFor(command)
    const history = this.#historyOf(`${command.bucketId}/${command.key}`)
    const at = history.findIndex((each) => each.id === command.versionId)
    const entry = history[at]
    if (entry === undefined) throw new Refusal('NoSuchVersion')
    const { version } = entry
    if (version === undefined) throw new Refusal('IsDeleteMarker')
    if (version.amendId === amendId) return {}
    if (version.amendId !== command.afterAmendId) throw new Refusal('ConditionalConflict')
    const locks = change.kind === 'retention' || change.kind === 'legal-hold'
    if (locks && rules.objectLock === undefined) throw new Refusal('NoObjectLock')
    const { retention, legalHold, tags, acl, ...rest } = version
    const next = { retention, legalHold, tags, acl }
    if (change.kind === 'retention') {
      this.#requireStronger(retention, change.retention, command)
      next.retention = change.retention ?? undefined
    }
    if (change.kind === 'legal-hold') next.legalHold = change.on
    if (change.kind === 'tags') next.tags = change.tags ?? undefined
    if (change.kind === 'acl') next.acl = change.acl ?? undefined
    const kept = Object.fromEntries(Object.entries(next).filter(([, value]) => value !== undefined))
    history[at] = { ...entry, version: { ...rest, ...kept, amendId } }
    return {}
  }

  /** What the earlier of the two clocks says. */
  #nowMs(commandMs: number): number {
    return Math.min(commandMs, this.#leaderMs)
  }

  #requireStronger(
    before: Retention | undefined,
    after: Retention | null,
    command: Command<'amend-version'>,
  ): void {
    if (before === undefined || before.untilMs <= this.#nowMs(command.nowMs)) return
    if (before.mode === 'GOVERNANCE' && command.bypassGovernance === true) return
    if (after === null || after.mode !== before.mode || after.untilMs < before.untilMs)
      throw new Refusal('WormProtected')
  }

  #remove(entry: Entry, commandMs: number, bypass: boolean): void {
    const { retention, legalHold } = entry.version ?? {}
    if (legalHold === true) throw new Refusal('WormProtected')
    const active = retention !== undefined && retention.untilMs > this.#nowMs(commandMs)
    if (active && !(bypass && retention.mode === 'GOVERNANCE')) throw new Refusal('WormProtected')
    for (const blobId of entry.blobIds) this.#end(blobId)
  }

  #push(
    path: string,
    entry: Pick<Entry, 'id' | 'version' | 'ownerId' | 'blobIds'>,
    write: { rules: WriteRules; atMs: number },
  ): Entry {
    const { rules, atMs } = write
    const history = this.#historyOf(path)
    const gone = history.filter(
      (each) => rules.versioning === 'Off' || (rules.versioning === 'Suspended' && !each.versioned),
    )
    for (const each of gone) this.#remove(each, atMs, false)
    const modifiedMs = Math.max(atMs, (history[0]?.modifiedMs ?? -1) + 1)
    const replaced = history[0]?.version !== undefined
    const versioned = rules.versioning === 'Enabled'
    const version = entry.version === undefined ? undefined : { ...entry.version, modifiedMs }
    const pushed: Entry = { ...entry, version, modifiedMs, replaced, versioned }
    this.histories.set(path, [pushed, ...history.filter((each) => !gone.includes(each))])
    this.#written.set(entry.id, { modifiedMs, replaced, versioned })
    return pushed
  }

  #putPart(command: Command<'put-part'>): unknown {
    const { bucketId, key, part, blob } = command
    this.#requireOpen(bucketId)
    const upload = this.uploads.get(`${bucketId}/${key}|${command.uploadId}`)
    const current = upload?.parts.get(part.partNumber)
    if (current !== undefined && current.blobId === part.blobId) return { modifiedMs: current.modifiedMs }
    if (this.used.get(part.blobId)?.owner === `${bucketId}/${key}`) return { modifiedMs: part.modifiedMs }
    this.#uploadOf(command)
    this.#use(blob === undefined ? [] : [blob], `${bucketId}/${key}`)
    if (current !== undefined) this.#end(current.blobId)
    const modifiedMs = Math.max(part.modifiedMs, (current?.modifiedMs ?? -1) + 1)
    upload?.parts.set(part.partNumber, { ...part, modifiedMs })
    return { modifiedMs }
  }

  #complete(command: Command<'complete-upload'>): unknown {
    const { bucketId, key, uploadId } = command
    const before = this.#completed.get(`${bucketId}/${key}|${uploadId}`)
    if (before !== undefined) return before
    const rules = this.#rulesFor(command)
    const [path, { upload, parts }] = this.#uploadOf(command)
    const numbers = command.parts.map((part) => part.partNumber)
    const chosen: Part[] = []
    for (const [at, listed] of command.parts.entries()) {
      if (listed.partNumber <= (numbers[at - 1] ?? 0)) throw new Refusal('InvalidPartOrder')
      const part = parts.get(listed.partNumber)
      if (part === undefined || part.etag !== listed.etag) throw new Refusal('InvalidPart')
      chosen.push(part)
    }
    if (chosen.length === 0) throw new Refusal('InvalidPart')
    if (chosen.slice(0, -1).some((part) => part.bytes < command.partBytesMin))
      throw new Refusal('PartTooSmall')
    this.#requireConditions(this.#current(`${bucketId}/${key}`), command.conditions)
    const bytes = chosen.reduce((sum, part) => sum + part.bytes, 0)
    const { versionId, etag, nowMs } = command
    const { uploadId: _, startedMs: __, checksum: ___, ...handedOver } = upload
    const extents = chosen.map(({ blobId, bytes: length, partNumber, etag: tag }) => ({
      blobId,
      bytes: length,
      partNumber,
      etag: tag,
    }))
    const version: Version = { ...handedOver, versionId, key, bytes, etag, modifiedMs: nowMs, extents }
    this.#install(`${bucketId}/${key}`, version, rules)
    for (const part of parts.values()) if (!chosen.includes(part)) this.#end(part.blobId)
    this.#endUpload(path)
    const { versioning } = rules
    const { modifiedMs } = this.#written.get(versionId) ?? fail()
    const reply = { versionId, etag, bytes, modifiedMs, ...(versioning === 'Off' ? {} : { versioning }) }
    this.#completed.set(path, reply)
    return reply
  }

  #install(path: string, version: Version, rules: WriteRules): void {
    const locks = version.retention !== undefined || version.legalHold === true
    if (locks && rules.objectLock === undefined) throw new Refusal('NoObjectLock')
    const preset = rules.objectLock?.defaultRetention
    const startMs = Math.max(version.modifiedMs, this.#leaderMs)
    const days = preset?.days ?? 365 * (preset?.years ?? 0)
    const retention =
      version.retention ??
      (preset === undefined
        ? undefined
        : { mode: preset.mode, untilMs: Math.min(startMs + days * dayMs, 8.64e15) })
    const stored: Version = {
      ...version,
      ...(retention === undefined ? {} : { retention }),
      ...(rules.versioning === 'Enabled' ? { versioned: true } : {}),
    }
    const blobIds = version.extents.map((extent) => extent.blobId).filter((blobId) => blobId !== '')
    const entry = { id: version.versionId, version: stored, ownerId: version.ownerId, blobIds }
    this.#push(path, entry, { rules, atMs: version.modifiedMs })
  }

  #historyOf(path: string): Entry[] {
    return this.histories.get(path) ?? []
  }

  #current(path: string): Entry | undefined {
    return this.#historyOf(path)[0]
  }

  #use(blobs: readonly Blob[], owner: string): void {
    if (blobs.some(({ blobId }) => this.dead.has(blobId) || this.used.has(blobId)))
      throw new Refusal('VersionAbandoned')
    for (const blob of blobs) this.used.set(blob.blobId, { blob, owner })
  }

  #end(blobId: string): void {
    if (blobId === '') return
    if (this.used.get(blobId)?.blob.kind === 'sharded') this.garbage.add(blobId)
    this.used.delete(blobId)
    this.dead.add(blobId)
  }

  #endUpload(path: string): void {
    this.uploads.delete(path)
    this.#endedUploads.add(path)
  }

  #uploadOf({
    bucketId,
    key,
    uploadId,
  }: {
    bucketId: string
    key: string
    uploadId: string
  }): [string, StoredUpload] {
    const path = `${bucketId}/${key}|${uploadId}`
    const upload = this.uploads.get(path)
    if (upload === undefined) throw new Refusal('NoSuchUpload')
    return [path, upload]
  }

  #requireOpen(bucketId: string): void {
    const bucket = this.buckets.get(bucketId)
    if (bucket === undefined) throw new Refusal('NoSuchBucket')
    if (!bucket.open) throw new Refusal('StaleBucket')
  }

  #rulesFor({ bucketId, rulesRevision }: { bucketId: string; rulesRevision?: number }): WriteRules {
    this.#requireOpen(bucketId)
    const { rules } = this.buckets.get(bucketId) ?? fail()
    if (rules.revision < (rulesRevision ?? 0)) throw new Refusal('WriteRulesBehind')
    return rules
  }

  #requireConditions(current: Entry | undefined, conditions: WriteConditions): void {
    const { ifMatch, ifNoneMatch, ifMatchBytes, ifMatchModifiedMs } = conditions
    const version = current?.version
    const wants = [ifMatch, ifMatchBytes, ifMatchModifiedMs].some((wanted) => wanted !== undefined)
    if (version === undefined) {
      if (wants) throw new Refusal('NoSuchObject')
      return
    }
    const seconds = (ms: number) => new Date(ms).setMilliseconds(0)
    const holds =
      (ifMatch === undefined || ifMatch === '*' || ifMatch === version.etag) &&
      (ifMatchBytes === undefined || ifMatchBytes === version.bytes) &&
      (ifMatchModifiedMs === undefined || seconds(ifMatchModifiedMs) === seconds(version.modifiedMs)) &&
      ifNoneMatch !== '*' &&
      ifNoneMatch !== version.etag
    if (!holds) throw new Refusal('PreconditionFailed')
  }
}

/** What a refused command did to the blobs before it was refused has not happened. */
function restore<K, V>(now: Map<K, V>, before: Map<K, V>): void
function restore<K>(now: Set<K>, before: Set<K>): void
function restore(
  now: Map<unknown, unknown> | Set<unknown>,
  before: Map<unknown, unknown> | Set<unknown>,
): void {
  now.clear()
  if (now instanceof Set) for (const each of before.keys()) now.add(each)
  else for (const [key, value] of before.entries()) now.set(key, value)
}

function fail(): never {
  throw new Error('the oracle remembers what it has written')
}
