/**
 * What the registry keeps and what it can be asked.
 *
 * Membership changes are statements signed by operator keys; the bucket directory and credentials are written by
 * admitted gateways. Field names are on disk and on the wire: append-only.
 */
import type { AccessAnswers, AccessCommand, AccessQuery, AccessReplies, AccessTag } from './access-types.ts'
import type {
  BucketConfiguration,
  ConfigurationChanges,
  DefaultRetention,
  VersioningState,
  WriteRules,
} from './bucket-configuration.ts'
import type { ClusterMap, MapNode } from './cluster-map.ts'

/** The founding document: the registry's state at index 0, signed by every founding operator. */
export interface Genesis {
  readonly format: 1
  readonly map: ClusterMap
  /** operatorId -> Ed25519 signature (hex) over the canonical bytes of `map`. */
  readonly signatures: Readonly<Record<string, string>>
}

/** A change of membership. `sequence` must be the registry's next one: a statement cannot be replayed. */
export interface Statement {
  readonly federationId: string
  readonly sequence: number
  readonly change:
    | { readonly kind: 'admit-node'; readonly node: MapNode }
    | { readonly kind: 'set-node-state'; readonly nodeId: string; readonly state: MapNode['state'] }
    | { readonly kind: 'remove-node'; readonly nodeId: string }
}

export interface SignedStatement {
  readonly statement: Statement
  readonly signatures: Readonly<Record<string, string>>
}

/** A person or machine that speaks S3. */
export interface User {
  readonly userId: string
  readonly name: string
  /** The account that the user belongs to and that owns what the user creates. Absent: the user is an account of its own. */
  readonly accountId?: string
  /** IAM path, for example `/docks/`; absent: `/`. */
  readonly path?: string
  /** Of an account's root: its account is found by it. */
  readonly email?: string
  readonly createdMs?: number
  readonly tags?: readonly AccessTag[]
  /** ARN of the managed policy that bounds the user. */
  readonly boundary?: string
  /** Absent: active. */
  readonly state?: 'active' | 'disabled'
}

/** An access key; its secret is encrypted under the owner's key: operators of registry nodes cannot sign with it. */
export interface Credential {
  readonly accessKeyId: string
  readonly userId: string
  readonly sealedSecret: Uint8Array
  readonly state: 'active' | 'disabled'
  readonly createdMs?: number
}

export interface Bucket {
  readonly name: string
  /** Names one incarnation: a bucket that is deleted and created again has another id. */
  readonly bucketId: string
  readonly ownerId: string
  readonly createdMs: number
  readonly poolId: string
  /** The bucket's key, wrapped by the owner's key in the KMS. */
  readonly wrappedKey: Uint8Array
  /** creating: not yet open in every group. deleting: being closed; becomes active again when it is not empty. */
  readonly state: 'creating' | 'active' | 'deleting'
  /** Rises with every change of state: fences the openings and closings in the catalog groups that go with it. */
  readonly attempt: number
  /** Absent: `initialWriteRules`. */
  readonly writeRules?: WriteRules
  /** Absent: no document was ever set. */
  readonly configuration?: BucketConfiguration
}

/** What changes in a bucket's write rules. */
export interface WriteRulesChange {
  readonly versioning?: Exclude<VersioningState, 'Off'>
  /** Turns Object Lock on if it is off (and versioning with it), and sets its default; `{}`: no default. */
  readonly objectLock?: { readonly defaultRetention?: DefaultRetention }
}

export type RegistryCommand =
  | AccessCommand
  | { readonly kind: 'statement'; readonly signed: SignedStatement }
  | {
      readonly kind: 'put-user'
      readonly user: User
      readonly credential: Credential
      /** As in AccessCommand. */
      readonly by?: string
    }
  | { readonly kind: 'disable-credential'; readonly accessKeyId: string }
  /** Refused with BucketExists (details: ownerId, state) when the name is taken. */
  | { readonly kind: 'reserve-bucket'; readonly bucket: Bucket }
  /** Moves a bucket from one state to another; refused with StaleBucket when it is in neither. */
  | {
      readonly kind: 'set-bucket-state'
      readonly name: string
      readonly bucketId: string
      readonly from: readonly Bucket['state'][]
      readonly to: Bucket['state']
    }
  /** Only from `deleting` and at this attempt (else StaleBucket), after every catalog group has closed it under that attempt. */
  | {
      readonly kind: 'remove-bucket'
      readonly name: string
      readonly bucketId: string
      readonly attempt: number
    }
  /**
   * Changes write rules and raises their revision. Refused with NoSuchBucket, StaleBucket, and WriteRulesConflict when
   * versioning of a bucket with Object Lock would be suspended.
   */
  | {
      readonly kind: 'set-write-rules'
      readonly name: string
      readonly bucketId: string
      readonly change: WriteRulesChange
    }
  /** Sets and removes documents; the last writer of a name wins. Refused with NoSuchBucket, StaleBucket, NoSpace. */
  | {
      readonly kind: 'configure-bucket'
      readonly name: string
      readonly bucketId: string
      readonly changes: ConfigurationChanges
    }

export interface RegistryReplies extends AccessReplies {
  statement: { epoch: number }
  'put-user': Record<string, never>
  'disable-credential': Record<string, never>
  'reserve-bucket': Record<string, never>
  'set-bucket-state': { attempt: number }
  'remove-bucket': Record<string, never>
  'set-write-rules': { rules: WriteRules }
  'configure-bucket': Record<string, never>
}

/** `linearizable: false` may be answered by any replica from its own state (polling of the map). */
export type RegistryQuery =
  | AccessQuery
  | { readonly kind: 'map'; readonly newerThan: number }
  | { readonly kind: 'bucket'; readonly name: string }
  | {
      readonly kind: 'buckets'
      readonly after: string
      readonly limit: number
      readonly ownerId: string | undefined
    }
  | { readonly kind: 'credential'; readonly accessKeyId: string }
  | { readonly kind: 'users' }
  | { readonly kind: 'next-sequence' }

export interface RegistryAnswers extends AccessAnswers {
  map: { map: ClusterMap | undefined }
  bucket: { bucket: Bucket | undefined }
  buckets: { buckets: readonly Bucket[]; truncated: boolean }
  credential: { credential: Credential | undefined; user: User | undefined }
  users: { users: readonly User[] }
  'next-sequence': { sequence: number }
}
