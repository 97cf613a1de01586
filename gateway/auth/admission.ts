/**
 * From a row of the operation table to decisions: which IAM actions a request needs, and when each is decided.
 *
 * Invariant: a request runs only when every one of them is allowed. What depends on the stored object is decided on the
 * very version that the operation found, or on a look-up before it runs.
 */
import type { FurtherAction, OperationRow, ServiceOperation } from '../operation.ts'
import { type AclRequest, decodeAclHeaders } from '../s3/acl.ts'
import { type QueryPairs, queryValue } from '../s3/address.ts'
import type { Headers } from '../s3/headers.ts'
import { accessDenied, bucketArn, type RequestAccess, type StoredFacts, type Subject } from './authorise.ts'

/** What else a write of an object asks for: PutObject, CopyObject, CreateMultipartUpload and the POST form. */
export const objectWriteActions: readonly FurtherAction[] = [
  { action: 's3:PutObjectAcl', when: 'acl', asWriter: true },
  // No list grants it by name; the conformance suite has an anonymous writer tag what he writes.
  { action: 's3:PutObjectTagging', when: { header: 'x-amz-tagging' }, asWriter: true },
  { action: 's3:PutObjectRetention', when: { header: 'x-amz-object-lock-mode' } },
  { action: 's3:PutObjectLegalHold', when: { header: 'x-amz-object-lock-legal-hold' } },
]

/** AWS: to write or delete on the condition of what is there takes the right to read it. */
export const conditionalActions: readonly FurtherAction[] = [
  { action: 's3:GetObject', when: { header: 'if-match' } },
]

export const bypassActions: readonly FurtherAction[] = [
  {
    action: 's3:BypassGovernanceRetention',
    when: { header: 'x-amz-bypass-governance-retention', is: 'true' },
  },
]

export interface Asked {
  readonly headers: Headers
  readonly query: QueryPairs
}

interface Needed {
  readonly action: string
  readonly asWriter: boolean
}

const ownLists = new Set(['private', 'bucket-owner-read', 'bucket-owner-full-control', 'aws-exec-read'])

/** Whether a list lets in anybody beside its writer and the bucket's owner. */
function letsInOthers(request: AclRequest | undefined, bucketOwnerId: string): boolean {
  if (request === undefined) return false
  if (request.kind === 'canned') return !ownLists.has(request.name)
  return request.grants.some(({ grantee }) => grantee.by !== 'id' || grantee.id !== bucketOwnerId)
}

function isAsked(when: FurtherAction['when'], { headers }: Asked, bucketOwnerId: string): boolean {
  if (when === 'always') return true
  if (when === 'acl') return letsInOthers(decodeAclHeaders(headers), bucketOwnerId)
  const value = headers[when.header]
  if (value === undefined || value === '') return false
  return 'is' in when ? value.toLowerCase() === when.is : true
}

/** All actions that a request on this row needs. Throws InvalidArgument for lists in headers that are none. */
export function neededActions(row: OperationRow, asked: Asked, bucketOwnerId: string): readonly Needed[] {
  const versioned = queryValue(asked.query, 'versionId') !== undefined
  const named = (each: { readonly action: string; readonly versionAction?: string }): string =>
    versioned ? (each.versionAction ?? each.action) : each.action
  const further = (row.furtherActions ?? []).filter(({ when }) => isAsked(when, asked, bucketOwnerId))
  return [
    { action: named(row), asWriter: false },
    ...further.map((each) => ({ action: named(each), asWriter: each.asWriter ?? false })),
  ]
}

/** Decisions that wait for the stored object. */
export class ObjectGuard {
  readonly #actions: readonly string[]
  readonly #subject: Subject
  readonly #access: RequestAccess
  readonly #documentKeys: Readonly<Record<string, readonly string[]>> | undefined
  #settled = false

  constructor(
    actions: readonly string[],
    about: {
      readonly subject: Subject
      readonly access: RequestAccess
      readonly documentKeys?: Readonly<Record<string, readonly string[]>> | undefined
    },
  ) {
    this.#actions = actions
    this.#subject = about.subject
    this.#access = about.access
    this.#documentKeys = about.documentKeys
  }

  /** Nothing is left to decide. */
  get settled(): boolean {
    return this.#settled || this.#actions.length === 0
  }

  /** Decides on what was found; undefined: there is no such object. Throws AccessDenied. */
  settle(found: StoredFacts | undefined): void {
    for (const action of this.#actions) {
      const options = { object: found ?? ('absent' as const), documentKeys: this.#documentKeys }
      if (this.#access.check(action, this.#subject, options) !== 'allow') throw accessDenied()
    }
    this.#settled = true
  }
}

/** Decides what can be decided; the guard holds the rest. Throws AccessDenied. */
export function admit(
  needed: readonly Needed[],
  about: {
    readonly subject: Subject
    readonly access: RequestAccess
    readonly documentKeys?: Readonly<Record<string, readonly string[]>> | undefined
  },
): ObjectGuard {
  const { subject, access, documentKeys } = about
  const waiting: string[] = []
  for (const { action, asWriter } of needed) {
    const verdict = access.check(action, subject, { asWriter, documentKeys })
    if (verdict === 'deny') throw accessDenied()
    if (verdict === 'object') waiting.push(action)
  }
  return new ObjectGuard(waiting, about)
}

/** Decides about an operation that needs no existing bucket. Throws AccessDenied. */
export function admitService(
  operation: ServiceOperation,
  asked: Asked & { readonly bucketName: string },
  access: RequestAccess,
): void {
  if (operation.anonymousToo === true && access.identity.kind === 'anonymous') return
  const resource = bucketArn(asked.bucketName === '' ? '*' : asked.bucketName)
  for (const { action } of neededActions(operation, asked, access.identity.accountId)) {
    access.requireService(action, resource)
  }
}
