/**
 * The gate before an operation on a bucket: decides before it runs, hands it look-ups that decide on what they find, and
 * keeps from it what its caller must not learn.
 *
 * Invariant: an operation that ends well was allowed; one that forgot to decide on its object is a bug and fails.
 */
import type { Bucket } from '../../node/core/registry-types.ts'
import { type CallContext, isVersionId, type ObjectStore, objectOf } from '../object/object-store.ts'
import type { BucketContext, BucketOperation, ObjectSource } from '../operation.ts'
import { queryValue } from '../s3/address.ts'
import { S3Error } from '../s3/errors.ts'
import { checkBucketName } from '../s3/names.ts'
import { toS3Error } from '../s3/translate.ts'
import { type Asked, admit, neededActions, type ObjectGuard } from './admission.ts'
import { accessDenied, type RequestAccess, type StoredFacts, type Subject } from './authorise.ts'

export interface BucketGateOptions {
  readonly operation: BucketOperation
  readonly subject: Subject
  readonly asked: Asked
  readonly access: RequestAccess
  readonly store: ObjectStore
  readonly call: CallContext
  /** Throws NoSuchBucket. */
  readonly findBucket: (name: string) => Promise<Bucket>
}

type Find = Parameters<BucketContext['findObject']>[0]

const absences: ReadonlySet<string> = new Set(['NoSuchKey', 'NoSuchVersion'])

export class BucketGate {
  readonly #options: BucketGateOptions
  #guard: ObjectGuard | undefined

  constructor(options: BucketGateOptions) {
    this.#options = options
  }

  /** Decides all that can be decided now. Throws AccessDenied. */
  async open(documentKeys?: Readonly<Record<string, readonly string[]>>): Promise<void> {
    const { operation, subject, asked, access } = this.#options
    if (operation.perKey === true || access.mayEverything(subject.bucket)) return
    const needed = neededActions(operation, asked, subject.bucket.ownerId)
    const guard = admit(needed, { subject, access, documentKeys })
    if (operation.findsObject !== true)
      await this.#lookUp(guard, subject, queryValue(asked.query, 'versionId'))
    this.#guard = guard
  }

  /** Runs the operation. An absence that its caller must not know becomes AccessDenied. */
  async pass<Result>(run: () => Promise<Result>): Promise<Result> {
    let result: Result
    try {
      result = await run()
    } catch (error) {
      throw this.#conceal(error)
    }
    if (this.#guard?.settled === false) {
      throw new Error(`${this.#options.operation.name} ran without deciding on its object`)
    }
    return result
  }

  /** The look-ups that an operation uses; see BucketContext. */
  get functions(): Pick<BucketContext, 'findObject' | 'may' | 'source' | 'authoriseKey'> {
    return {
      findObject: (find) => this.#findObject(find),
      may: (action, version) => this.#may(action, { subject: this.#options.subject, version }),
      source: (source) => this.#source(source),
      authoriseKey: (key, versionId) => this.#authoriseKey(key, versionId),
    }
  }

  async #findObject(find: Find) {
    const { store, call, subject } = this.#options
    const found = await store.findObject({ ...find, bucket: subject.bucket }, call)
    if (find.key === subject.key) this.#guard?.settle(objectOf(found)?.version)
    return found
  }

  #may(action: string, { subject, version }: { subject: Subject; version: StoredFacts }): boolean {
    const { access } = this.#options
    if (access.mayEverything(subject.bucket)) return true
    return access.check(action, subject, { object: version }) === 'allow'
  }

  async #source(wanted: Parameters<BucketContext['source']>[0]): Promise<ObjectSource> {
    const { store, call, access, subject, findBucket } = this.#options
    const { bucketName, key, versionId } = wanted
    checkBucketName(bucketName)
    const bucket = bucketName === subject.bucket.name ? subject.bucket : await findBucket(bucketName)
    const source: Subject = { bucket, key }
    const action = versionId === undefined ? 's3:GetObject' : 's3:GetObjectVersion'
    const guard = admit([{ action, asWriter: false }], { subject: source, access })
    return {
      bucket,
      may: (further, version) => this.#may(further, { subject: source, version }),
      findObject: async (find) => {
        const found = await store.findObject({ ...find, bucket, key }, call)
        const object = objectOf(found)
        guard.settle(object?.version)
        if (object === undefined && !access.mayKnowAbsence(source)) throw accessDenied()
        return found
      },
    }
  }

  async #authoriseKey(key: string, versionId: string | undefined): Promise<void> {
    const { operation, asked, access, subject } = this.#options
    const query = versionId === undefined ? [] : [['versionId', versionId] as const]
    const about = {
      subject: { bucket: subject.bucket, key },
      access,
      documentKeys: versionId === undefined ? undefined : { 's3:versionid': [versionId] },
    }
    const needed = neededActions(operation, { headers: asked.headers, query }, subject.bucket.ownerId)
    await this.#lookUp(admit(needed, about), about.subject, versionId)
  }

  async #lookUp(guard: ObjectGuard, { bucket, key }: Subject, versionId: string | undefined): Promise<void> {
    if (guard.settled) return
    const { store, call } = this.#options
    // What names no version is refused by the operation; until then there is nothing to find.
    const known = versionId === undefined || isVersionId(versionId)
    const found = known
      ? await store.findObject({ bucket, key, versionId, expect: 'nothing' }, call)
      : undefined
    guard.settle(objectOf(found)?.version)
  }

  #conceal(thrown: unknown): unknown {
    const { subject, access } = this.#options
    if (subject.key === '') return thrown
    const error = toS3Error(thrown)
    // One that names its key is about another object: a copy's source.
    const own = error.details.Key === undefined || error.details.Key === subject.key
    if (!absences.has(error.code) || !own || access.mayKnowAbsence(subject)) return thrown
    return new S3Error('AccessDenied', undefined, { cause: thrown })
  }
}
