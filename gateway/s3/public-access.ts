/**
 * PublicAccessBlock: its document, and what is refused under it. What is ignored under it is authorise.ts's.
 * Source: S3 User Guide, "Blocking public access to your Amazon S3 storage".
 */
import type { Acl, PublicAccessBlock } from '../../node/core/bucket-configuration.ts'
import type { Bucket } from '../../node/core/registry-types.ts'
import { isPublicAcl } from './acl.ts'
import { S3Error } from './errors.ts'
import { booleanText, checkChildren, childText, document, element, type XmlNode } from './xml.ts'

export const blockEverything: PublicAccessBlock = {
  blockPublicAcls: true,
  ignorePublicAcls: true,
  blockPublicPolicy: true,
  restrictPublicBuckets: true,
}

const blockNothing: PublicAccessBlock = {
  blockPublicAcls: false,
  ignorePublicAcls: false,
  blockPublicPolicy: false,
  restrictPublicBuckets: false,
}

/** The block in force; a bucket without one blocks nothing. */
export function publicAccessOf(bucket: Bucket): PublicAccessBlock {
  return bucket.configuration?.publicAccessBlock ?? blockNothing
}

const names = ['BlockPublicAcls', 'IgnorePublicAcls', 'BlockPublicPolicy', 'RestrictPublicBuckets'] as const

/** Throws MalformedXML. What is absent is off. */
export function decodePublicAccessBlock(root: XmlNode): PublicAccessBlock {
  checkChildren(root, names)
  const read = (name: (typeof names)[number]): boolean => {
    const text = childText(root, name)
    return text !== undefined && booleanText(text)
  }
  return {
    blockPublicAcls: read('BlockPublicAcls'),
    ignorePublicAcls: read('IgnorePublicAcls'),
    blockPublicPolicy: read('BlockPublicPolicy'),
    restrictPublicBuckets: read('RestrictPublicBuckets'),
  }
}

export function encodePublicAccessBlock(block: PublicAccessBlock): string {
  return document(
    'PublicAccessBlockConfiguration',
    element('BlockPublicAcls', block.blockPublicAcls),
    element('IgnorePublicAcls', block.ignorePublicAcls),
    element('BlockPublicPolicy', block.blockPublicPolicy),
    element('RestrictPublicBuckets', block.restrictPublicBuckets),
  )
}

/** Throws AccessDenied for a list that would open what the bucket's block closes. */
export function checkPublicAcl(acl: Acl | undefined, bucket: Bucket): void {
  if (publicAccessOf(bucket).blockPublicAcls && isPublicAcl(acl)) {
    throw new S3Error('AccessDenied', 'User is not authorized: public ACLs are blocked by BlockPublicAcls.')
  }
}
