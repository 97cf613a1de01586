/**
 * Why tests of ceph/s3-tests do not pass, kept by hand: each entry names tests and the outcome that it explains.
 *
 * Invariant: an entry explains an outcome, not a test: when a test begins to fail differently it is unexplained again.
 * The first entry that fits counts. Reasons name AWS' documentation or behaviour where that is why.
 */
import type { TestResult } from './results.ts'

export interface Reason {
  /** Matched against the test's id. */
  readonly tests: RegExp
  /** Matched against the first line of the error, or of the reason to skip. */
  readonly error: RegExp
  readonly reason: string
}

export const reasons: readonly Reason[] = [
  {
    tests: /_aws2$|_v2$/,
    error: /AWS4-HMAC-SHA256|InvalidRequest|400 == 403/,
    reason:
      'Signs with signature version 2, which AWS has retired: InvalidRequest, "Please use AWS4-HMAC-SHA256", as AWS answers for buckets since 2020.',
  },
  {
    tests: /test_(bucket|object)_create_bad_(authorization|contentlength)_(none|empty)$/,
    error: /ClientError not raised/,
    reason:
      'The test takes a header away before boto3 signs, which puts it back: a sound request. The suite marks it as failing on Ceph, too.',
  },
  {
    tests: /logging/,
    error: /ceph extension to bucket logging not supported at client/,
    reason: "Needs boto3 with Ceph's extension of the logging model; skipped by the suite.",
  },
  {
    tests: /cloud|restore|read_through/,
    error: /cloud_storage_class|s3 cloud/,
    reason: "Needs Ceph's cloud tiers: a second object store behind this one.",
  },
  {
    tests: /transition/,
    error: /requires \d or more storage classes|empty parameter set/,
    reason: 'Needs several storage classes; there is one, STANDARD.',
  },
  {
    tests: /test_(head_bucket_usage|bucket_head_extended|account_usage)/,
    error: /KeyError/,
    reason: "Reads counters of usage that only Ceph's own API has.",
  },
  {
    tests: /test_object_raw_(put_authenticated_expired|get_x_amz_expires_out_(max|positive)_range)/,
    error: /assert 400 == 403/,
    reason:
      'X-Amz-Expires below 0 or above a week: AWS documents AuthorizationQueryParametersError with 400, the suite expects 403.',
  },
  {
    tests: /test_object_write_with_chunked_transfer_encoding/,
    error: /MissingContentLength/,
    reason: 'A PUT of unknown length: AWS documents 411 MissingContentLength, Ceph takes it.',
  },
  {
    tests: /test_bucket_list_prefix_unreadable/,
    error: /'%0A' == /,
    reason:
      'With encoding-type=url AWS encodes Prefix in ListObjects, too; boto3 asks for that and does not decode it.',
  },
  {
    tests: /test_object_set_get_unicode_metadata/,
    error: /Hello World/,
    reason:
      'boto3 sends and signs UTF-8 and reads Latin-1; we give back the bytes that came (decision 0162). The suite marks it as failing on Ceph, too.',
  },
  {
    tests: /test_list_buckets_anonymous/,
    error: /AccessDenied/,
    reason: 'Ceph shows strangers an empty list of buckets; AWS does not answer them.',
  },
  {
    tests: /test_bucket_get_location/,
    error: /no api_name configured/,
    reason:
      'The run is in us-east-1 (where CreateBucket is repeatable), the one region that GetBucketLocation has no name for.',
  },
  {
    tests: /test_bucket_policy_deny_self_denied_policy_confirm_header/,
    error: /ClientError not raised/,
    reason:
      "Expects that the root of an account can lock himself out of a bucket's policy; AWS always lets him at it (decision 0191).",
  },
  {
    tests: /test_bucket_policy_(different_tenant|tenanted_bucket)/,
    error: /InvalidBucketName/,
    reason: "Names a bucket of one of Ceph's tenants, as `tenant:bucket`; AWS has no such names.",
  },
  {
    tests: /test_multipart_resend_first_finishes_last/,
    error: /InvalidPartOrder/,
    reason:
      'Completes with one part number twice: AWS documents ascending numbers and InvalidPartOrder, Ceph takes the last of them.',
  },
  {
    tests: /test_delete_marker_(expiration|nonversioned|suspended|versioned)/,
    error: /KeyError: 'x-amz-delete-marker'/,
    reason:
      'Expects `x-amz-delete-marker: false` where there is no marker; AWS documents that the header does not appear then.',
  },
  {
    tests: /test_get_object_torrent/,
    error: /405 == 404/,
    reason: 'AWS has given up BitTorrent and answers 405 MethodNotAllowed; the suite allows 404 only.',
  },
  {
    tests: /test_object_read_unreadable/,
    error: /404 == 400/,
    reason:
      'The key is sound UTF-8 by the time boto3 sends it, and does not exist. The suite marks it as failing on Ceph, too.',
  },
  {
    tests: /test_bucket_policy_set_condition_operator_end_with_IfExists/,
    error: /ClientError not raised/,
    reason:
      'The asker owns object and bucket and needs no policy. The suite marks it as failing on Ceph, too.',
  },
  {
    tests: /test_bucket_policy_put_obj_request_obj_tag/,
    error: /AccessDenied.*PutObject/,
    reason:
      'The policy grants s3:PutObject alone; AWS documents that tags in the header need s3:PutObjectTagging, too. The suite marks it as failing on Ceph, too.',
  },
  {
    tests: /test_post_object_tags_anonymous_request/,
    error: /403 == 204/,
    reason:
      "A stranger sends tags to a bucket whose list grants WRITE: by AWS' mapping of lists that is s3:PutObject, and tags need s3:PutObjectTagging.",
  },
  {
    tests: /test_put_obj_with_tags/,
    error: /assert \[/,
    reason:
      'Takes a set of tags to be sorted by key; we keep the order of the client, and AWS documents none.',
  },
  {
    tests: /test_(put_bucket_logging_account_s|put_bucket_logging_policy_wildcard)/,
    error: /InvalidTargetBucketForLogging.*owner/,
    reason: "Logs into another account's bucket; AWS documents that source and target have one owner.",
  },
  {
    tests: /test_put_bucket_logging_(errors|tenant_s)/,
    error: /InvalidTargetBucketForLogging|InvalidTarge\.\.\./,
    reason:
      'A target bucket that does not exist, or that is named in the way of a Ceph tenant: InvalidTargetBucketForLogging as AWS documents it; the suite expects another code.',
  },
  {
    tests: /test_bucket_logging_owner/,
    error: /Missing required field Resource/,
    reason: 'Sets a policy whose statement has no Resource: AWS refuses it, Ceph does not.',
  },
  {
    tests: /test_bucket_logging_mtime/,
    error: /KeyError: 'last-modified'/,
    reason: "Reads when the logging document was set; AWS' answer has no such header.",
  },
  {
    tests: /test_put_bucket_logging$/,
    error: /TargetObjectKeyFormat|ePrefix/,
    reason: 'Expects a key format in the answer that the request did not have.',
  },
  {
    tests: /test_bucket_logging_request_id/,
    error: /KeyError: 'response'/,
    reason: "The test's own hook takes an argument that boto3 does not hand over.",
  },
  {
    tests: /test_bucket_logging_partitioned_key/,
    error: /== 'default'/,
    reason: "Expects the name of Ceph's default zone group as the region.",
  },
  {
    tests: /test_(bucket_logging_permission_change_s|put_bucket_logging_permissions)/,
    error: /expected failure/,
    reason:
      'Expects a write to the source to fail when its log can no longer be delivered; AWS delivers logs with best effort, behind the request.',
  },
  {
    tests: /test_bucket_logging_(bucket|object)_acl_required/,
    error: /assert False$/,
    reason: 'Our access log does not say yet which requests needed an access control list (aclRequired).',
  },
  {
    tests: /test_bucket_logging_bucket_auth_type/,
    error: /assert False$/,
    reason: 'Its last part signs a URL with signature version 2.',
  },
  {
    tests: /test_bucket_logging_(single_prefix|multiple_prefixes|multi_delete|mpu|copy_objects|head_objects)/,
    error: /AssertionError: assert (\d+ (==|>=) \d+|False)$/,
    reason:
      "Details of Ceph's log: one object for all buckets of a target, its names of operations (REST.PUT.OBJECT for a copy, REST.POST.DELETE_MULTI_OBJECT), or records by the next write. AWS has others, and delivers with best effort.",
  },
  {
    tests: /test_bucket_recreate_(new|overwrite)_acl/,
    error: /ClientError not raised/,
    reason:
      'The owner creates a bucket again with another ACL: in us-east-1 AWS documents 200, the suite expects 409 BucketAlreadyExists.',
  },
]

export function reasonOf(test: TestResult): string | undefined {
  const found = reasons.find(({ tests, error }) => tests.test(test.id) && error.test(test.error ?? ''))
  return found?.reason
}
