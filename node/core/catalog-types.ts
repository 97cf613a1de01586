/**
 * What the catalog keeps and what it can be asked: rows, commands (replicated) and queries (read).
 *
 * Field names are on disk and on the wire: append-only. Times are wall-clock ms of the proposer; the state
 * machine makes them non-decreasing per key. Every id is lower-case hex.
 */
import type { Acl, Retention, Tags, VersioningState, WriteRules } from './bucket-configuration.ts'
import type { EventName, EventTarget, Notice } from './notification.ts'
import type { ObjectEncryption } from './object-encryption.ts'

/** How one blob's ciphertext is cut into shards, and who holds them. */
export interface ShardedBlob {
  readonly kind: 'sharded'
  readonly blobId: string
  /** Ciphertext bytes, authentication tags included, padding excluded. */
  readonly bytes: number
  readonly code: string
  readonly dataShards: number
  readonly parityShards: number
  readonly cellBytes: number
  /** Encode attempt; shards of different generations are never mixed. */
  readonly generation: number
  /** Holder of shard i; length dataShards + parityShards. Nodes may repeat when failure domains ran short. */
  readonly holders: readonly string[]
}

/** A small blob: its ciphertext lies in the catalog itself, as often as the group has replicas. */
export interface InlineBlob {
  readonly kind: 'inline'
  readonly blobId: string
  readonly bytes: number
  readonly data: Uint8Array
}

export type Blob = ShardedBlob | InlineBlob

/** A run of an object's plaintext that lies in one blob; the object is the concatenation of its extents. */
export interface Extent {
  readonly blobId: string
  /** Plaintext bytes. */
  readonly bytes: number
  /** S3 part number for objects that were uploaded in parts. */
  readonly partNumber?: number
  readonly etag?: string
  readonly checksum?: Checksum
}

export type ChecksumAlgorithm =
  | 'CRC32'
  | 'CRC32C'
  | 'CRC64NVME'
  | 'SHA1'
  | 'SHA256'
  | 'SHA512'
  | 'MD5'
  | 'XXHASH64'
  | 'XXHASH3'
  | 'XXHASH128'

export interface Checksum {
  readonly algorithm: ChecksumAlgorithm
  /** COMPOSITE: checksum of the parts' checksums, rendered with `-<parts>`. */
  readonly type: 'FULL_OBJECT' | 'COMPOSITE'
  /** Base64, without the part count. */
  readonly value: string
}

/** The data key of an object version, wrapped by its bucket's key. */
export interface WrappedKey {
  /** Names algorithm and wrapping key, for example `aes-256-gcm/<bucketId>`. */
  readonly wrapping: string
  readonly bytes: Uint8Array
}

/** What a client said about an object, and what it gets back with it. */
export interface ObjectMetadata {
  /** `x-amz-meta-*` without the prefix, lower-case names. */
  readonly user: Readonly<Record<string, string>>
  /** content-type, cache-control, content-disposition, content-encoding, content-language, expires: lower-case names. */
  readonly system: Readonly<Record<string, string>>
}

/** What a version may carry beside its bytes; an upload hands it over to the version that it becomes. */
export interface VersionAttributes {
  readonly retention?: Retention
  /** False: it was lifted, or the client said OFF. Absent: never set. */
  readonly legalHold?: boolean
  readonly tags?: Tags
  readonly acl?: Acl
  /** Of an upload: of all its parts, too. Absent: SSE-S3. */
  readonly encryption?: ObjectEncryption
}

/** An object version as stored. */
export interface Version extends VersionAttributes {
  /** Internal; clients see it only of `versioned` ones, others are `null` to them. */
  readonly versionId: string
  /** Written while versioning was enabled. Absent: the null version of its key, of which there is at most one. Set by the group. */
  readonly versioned?: true
  /** The last amend-version that was applied to it. */
  readonly amendId?: string
  readonly key: string
  readonly bytes: number
  /** Without quotes; `<md5>` or `<md5 of md5s>-<parts>`. */
  readonly etag: string
  readonly modifiedMs: number
  readonly ownerId: string
  readonly metadata: ObjectMetadata
  readonly checksum?: Checksum
  readonly extents: readonly Extent[]
  readonly dataKey: WrappedKey
  /** Plaintext bytes of one authenticated segment. */
  readonly segmentBytes: number
}

/** Says that a key has no object since then. */
export interface DeleteMarker {
  readonly versionId: string
  readonly key: string
  readonly modifiedMs: number
  readonly ownerId: string
  /** As in `Version`. */
  readonly versioned?: true
}

/** A multipart upload in progress. */
export interface Upload extends VersionAttributes {
  readonly uploadId: string
  readonly key: string
  readonly startedMs: number
  readonly ownerId: string
  readonly metadata: ObjectMetadata
  readonly dataKey: WrappedKey
  readonly segmentBytes: number
  /** What the client announced at creation; undefined: none. */
  readonly checksum?: Pick<Checksum, 'algorithm' | 'type'>
}

export interface Part {
  readonly partNumber: number
  /** '' for an empty part. */
  readonly blobId: string
  readonly bytes: number
  readonly etag: string
  readonly modifiedMs: number
  readonly checksum?: Checksum
}

/** Conditions on the current version of a key, or on the version that is named. ETags without quotes; `*`: any. */
export interface WriteConditions {
  readonly ifMatch?: string
  readonly ifNoneMatch?: string
  /** Compared to the second, as HTTP dates are. */
  readonly ifMatchModifiedMs?: number
  readonly ifMatchBytes?: number
}

/** A change of what a version carries; `null` removes. */
export type Amendment =
  | { readonly kind: 'retention'; readonly retention: Retention | null }
  | { readonly kind: 'legal-hold'; readonly on: boolean }
  | { readonly kind: 'tags'; readonly tags: Tags | null }
  | { readonly kind: 'acl'; readonly acl: Acl | null }

/**
 * What every command carries whose effect depends on the bucket's write rules: the revision that the gateway knows. A
 * group that is behind refuses with WriteRulesBehind (details: bucketId, revision); it then wants set-write-rules.
 */
interface UnderRules {
  readonly rulesRevision?: number
}

/** What every command carries that may be an event for notification targets. */
interface Noticed {
  readonly notice?: Notice
}

/** An event that waits to be told. */
export interface StoredEvent {
  /** Lower-case hex of one length; rises with the order of writes in its group. */
  readonly eventId: string
  readonly bucketId: string
  /** Of the bucket. */
  readonly ownerId: string
  readonly key: string
  readonly name: EventName
  readonly targets: readonly EventTarget[]
  /** As clients see it. */
  readonly versionId?: string
  readonly bytes?: number
  readonly etag?: string
  readonly timeMs: number
  readonly notice: Pick<Notice, 'bucketName' | 'principalId' | 'sourceIp' | 'requestId'>
}

/** Replicated commands; each is applied by exactly one catalog group (the bucket ones by every group). */
export type CatalogCommand =
  /** `attempt` fences: refused with StaleBucket when the group has seen a higher one (see bucket-directory.ts). */
  | { readonly kind: 'open-bucket'; readonly bucketId: string; readonly attempt: number }
  /** Refuses when objects or uploads exist in this group; afterwards writes are refused, for good unless opened again. */
  | { readonly kind: 'close-bucket'; readonly bucketId: string; readonly attempt: number }
  /** The bucket's rules as the registry has them; applied when their revision is higher than what the group has. */
  | { readonly kind: 'set-write-rules'; readonly bucketId: string; readonly rules: WriteRules }
  | ({
      readonly kind: 'put-version'
      readonly bucketId: string
      readonly version: Version
      readonly blobs: readonly Blob[]
      readonly conditions: WriteConditions
    } & UnderRules &
      Noticed)
  /** Off: removes the object. Enabled: makes a delete marker current. Suspended: the null version gives way to one. */
  | ({
      readonly kind: 'delete-object'
      readonly bucketId: string
      readonly key: string
      readonly nowMs: number
      readonly conditions: WriteConditions
      /** Id of the delete marker, if it comes to one; required unless versioning is off. */
      readonly markerId?: string
      /** Owner of the marker. */
      readonly ownerId?: string
      /**
       * Deletes only while this version is the current one (otherwise ConditionalConflict, details: versionId). With
       * it a delete that is repeated or delayed cannot destroy a version that was written later: read, then name it.
       */
      readonly versionId?: string
    } & UnderRules &
      Noticed)
  /** Removes one version or marker for good; the next newest becomes current when it was. Refused with WormProtected. */
  | ({
      readonly kind: 'delete-version'
      readonly bucketId: string
      readonly key: string
      readonly versionId: string
      readonly nowMs: number
      readonly bypassGovernance?: true
      readonly conditions: WriteConditions
    } & Noticed)
  /** Changes what a version carries. Refused with WormProtected, NoObjectLock, NoSuchVersion, IsDeleteMarker. */
  | ({
      readonly kind: 'amend-version'
      readonly bucketId: string
      readonly key: string
      readonly versionId: string
      readonly change: Amendment
      readonly nowMs: number
      readonly bypassGovernance?: true
      readonly amendId: string
      /**
       * The `amendId` of the version as the gateway saw it; ConditionalConflict when it is another by now. So an
       * amendment that is repeated or delayed undoes none that came later.
       */
      readonly afterAmendId?: string
    } & UnderRules &
      Noticed)
  | ({ readonly kind: 'create-upload'; readonly bucketId: string; readonly upload: Upload } & UnderRules)
  | {
      readonly kind: 'put-part'
      readonly bucketId: string
      readonly key: string
      readonly uploadId: string
      readonly part: Part
      /** Undefined exactly when the part is empty; its `blobId` is '' then. */
      readonly blob: Blob | undefined
    }
  | ({
      readonly kind: 'complete-upload'
      readonly bucketId: string
      readonly key: string
      readonly uploadId: string
      /** In the client's order, which must ascend. */
      readonly parts: readonly {
        readonly partNumber: number
        readonly etag: string
        readonly checksum?: string
      }[]
      readonly versionId: string
      readonly etag: string
      readonly checksum?: Checksum
      readonly nowMs: number
      /** All parts but the last must have at least so many bytes (a limit of S3, passed in so that tests can lower it). */
      readonly partBytesMin: number
      readonly conditions: WriteConditions
    } & UnderRules &
      Noticed)
  | {
      readonly kind: 'abort-upload'
      readonly bucketId: string
      readonly key: string
      readonly uploadId: string
      /** Absent: the time of the upload's newest part. */
      readonly nowMs?: number
    }
  /**
   * A shard has moved or was rebuilt: durable at `to`. Refused unless holder and generation are as expected.
   *
   * `step: 'claim'` announces it, before anything is written at `to`, and leaves the holder; a claim with `to` equal to
   * `from` withdraws the one of this `claimId`. With `claimId` the move itself is refused unless that claim still stands. A node that is
   * neither holder nor claimed knows by that that its copy will never be referred to, and may delete it.
   */
  | {
      readonly kind: 'relocate-shard'
      readonly blobId: string
      readonly generation: number
      readonly shardIndex: number
      readonly from: string
      readonly to: string
      readonly step?: 'claim'
      readonly claimId?: string
    }
  /** Fences blobs that no row refers to: a later put-version or put-part naming one of them is refused. */
  | { readonly kind: 'abandon-blobs'; readonly blobIds: readonly string[]; readonly nowMs: number }
  /** Every holder has confirmed the deletion. */
  | { readonly kind: 'forget-garbage'; readonly blobIds: readonly string[] }
  /** Removes fences that are older than `catalogLimits.fenceMsMin` at `nowMs`; keeps the others. */
  | { readonly kind: 'forget-fences'; readonly ids: readonly string[]; readonly nowMs: number }
  /** Removes events whose targets have been told. */
  | { readonly kind: 'forget-events'; readonly eventIds: readonly string[] }

export interface PutReply {
  readonly versionId: string
  readonly modifiedMs: number
  /** Whether another version was current. */
  readonly replaced: boolean
  /** What the version was written under: Enabled: its id is for clients, Suspended: it is the null version. Absent: Off. */
  readonly versioning?: VersioningState
}

/** Replies by command kind; errors travel as ClusterError codes in `{ error }`. */
export interface CatalogReplies {
  'open-bucket': Record<string, never>
  'close-bucket': Record<string, never>
  'set-write-rules': Record<string, never>
  'put-version': PutReply
  /** `marker`: what was made current; absent: versioning is off. */
  'delete-object': { existed: boolean; marker?: { versionId: string; versioned?: true } }
  'delete-version': { existed: boolean; wasMarker: boolean }
  'amend-version': Record<string, never>
  'create-upload': Record<string, never>
  'put-part': { modifiedMs: number }
  'complete-upload': {
    versionId: string
    etag: string
    bytes: number
    modifiedMs: number
    checksum?: Checksum
    versioning?: VersioningState
  }
  'abort-upload': Record<string, never>
  'relocate-shard': Record<string, never>
  /** The blobs that a row refers to after all: they were not fenced. */
  'abandon-blobs': { referenced: string[] }
  'forget-garbage': Record<string, never>
  'forget-fences': { forgotten: number }
  'forget-events': { forgotten: number }
}

/** Reads, served by the group's leader after a read barrier. */
export type CatalogQuery =
  | {
      readonly kind: 'find-object'
      readonly bucketId: string
      readonly key: string
      /** An id, or `null` for the null version. Absent: the current version. */
      readonly versionId?: string
      /** Which blobs to return with it: of the extents that overlap this plaintext range, or none. */
      readonly blobsFor:
        | { readonly firstByte: number; readonly lastByte: number }
        | 'all'
        | 'none'
        | { readonly partNumber: number }
    }
  | {
      readonly kind: 'list-objects'
      readonly bucketId: string
      readonly prefix: string
      readonly delimiter: string
      /** Exclusive lower bound: a key, or a common prefix that was already returned. */
      readonly after: string
      readonly limit: number
    }
  /** All versions and markers: by key, newest first within one. */
  | {
      readonly kind: 'list-versions'
      readonly bucketId: string
      readonly prefix: string
      readonly delimiter: string
      /** Exclusive lower bound as in list-objects; with a version id it is that version of the key. */
      readonly afterKey: string
      /** `''`: all versions of `afterKey` are passed over. An id that the key does not have (any more): none of them. */
      readonly afterVersionId: string
      readonly limit: number
    }
  | {
      readonly kind: 'list-uploads'
      readonly bucketId: string
      readonly prefix: string
      readonly delimiter: string
      readonly afterKey: string
      readonly afterUploadId: string
      readonly limit: number
    }
  | {
      readonly kind: 'list-parts'
      readonly bucketId: string
      readonly key: string
      readonly uploadId: string
      readonly afterPartNumber: number
      readonly limit: number
    }
  | {
      readonly kind: 'find-upload'
      readonly bucketId: string
      readonly key: string
      readonly uploadId: string
    }
  /** For scrub and garbage collection on nodes: which of these blobs are referred to, and by which holders. */
  | { readonly kind: 'find-blobs'; readonly blobIds: readonly string[] }
  /** What the group holds of a bucket, as its counters say. */
  | { readonly kind: 'count-bucket'; readonly bucketId: string }
  /** Events that wait to be told; `after`: an event id, exclusive, '' from the start. */
  | { readonly kind: 'list-events'; readonly after: string; readonly limit: number }

/** Of a bucket in one group; or, summed, in all of them. */
export interface BucketCounts {
  /** Current versions that are no delete markers. */
  readonly objects: number
  /** Noncurrent versions, and delete markers. */
  readonly versions: number
  readonly uploads: number
  /** Plaintext bytes of all versions and of parts of uploads in progress. */
  readonly bytes: number
}

export interface ListedObject {
  readonly key: string
  readonly versionId: string
  readonly bytes: number
  readonly etag: string
  readonly modifiedMs: number
  readonly ownerId: string
  readonly checksum?: Checksum
}

export type ListedVersion = { readonly isLatest: boolean; readonly versioned?: true } & (
  | ({ readonly kind: 'version'; readonly tags?: Tags } & ListedObject)
  | ({ readonly kind: 'marker' } & DeleteMarker)
)

export interface ListedUpload {
  readonly key: string
  readonly uploadId: string
  readonly startedMs: number
  readonly ownerId: string
  readonly checksum?: Pick<Checksum, 'algorithm' | 'type'>
}

/** Entries and common prefixes in one byte-ordered run; `truncated`: more exist beyond the last of them. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly commonPrefixes: readonly string[]
  readonly truncated: boolean
}

export interface CatalogAnswers {
  /** `dropped`: events of this group that could not be kept, since its founding. */
  'list-events': { events: readonly StoredEvent[]; dropped: number }
  /**
   * Neither `version` nor `marker`: no such key, or version of it, in an existing bucket. A bucket that this group does
   * not know: NoSuchBucket. `versioning` absent: Off.
   */
  'find-object': {
    version: Version | undefined
    blobs: readonly Blob[]
    marker?: DeleteMarker
    versioning?: VersioningState
  }
  'count-bucket': BucketCounts
  'list-objects': Page<ListedObject>
  'list-versions': Page<ListedVersion>
  'list-uploads': Page<ListedUpload>
  'list-parts': { upload: Upload; parts: readonly Part[]; truncated: boolean }
  'find-upload': { upload: Upload; parts: readonly Part[] }
  'find-blobs': {
    blobs: readonly {
      blobId: string
      state: 'referenced' | 'garbage' | 'abandoned' | 'unknown'
      holders: readonly string[]
      generation: number
      /** Nodes that are about to become holders; absent: none. Their copies must stay. */
      claims?: readonly { readonly shardIndex: number; readonly to: string }[]
    }[]
  }
}
