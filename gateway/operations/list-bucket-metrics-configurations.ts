/** ListBucketMetricsConfigurations: buckets have no filtered request metrics. */
import { defineOperation } from '../operation.ts'
import { document, element } from '../s3/xml.ts'

export const listBucketMetricsConfigurations = defineOperation({
  name: 'ListBucketMetricsConfigurations',
  method: 'GET',
  target: 'bucket',
  subresource: 'metrics',
  action: 's3:GetMetricsConfiguration',
  unused: true,
  body: 'none',
  decode: () => undefined,
  call: async () => undefined,
  encode: () => ({
    status: 200,
    body: document('ListMetricsConfigurationsResult', element('IsTruncated', false)),
  }),
})
