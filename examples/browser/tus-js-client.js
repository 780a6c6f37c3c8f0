// Uploads that can be paused, and go on after a reload of the page when the same file is chosen again.
import { Upload } from 'tus-js-client'
import { onClick, onFile, retryDelays, settings, showDownload, showError, showProgress, showState } from './page.js'

let file = null
let upload = null

onFile((chosen) => {
  file = chosen
})

onClick('start', async () => {
  if (!file) return
  upload = new Upload(file, {
    endpoint: settings.endpoint,
    parallelUploads: settings.parallelUploads,
    retryDelays,
    metadata: { filename: file.name, filetype: file.type },
    // Or the same file, chosen again, would be the upload that is finished.
    removeFingerprintOnSuccess: true,
    onProgress: showProgress,
    onError(error) {
      const response = error.originalResponse
      showError(error, response?.getStatus(), response?.getBody())
    },
    onSuccess() {
      showDownload(upload.url, file.name)
    },
  })
  // The browser remembers where an upload of this file to this server began.
  const [previous] = await upload.findPreviousUploads()
  if (previous) upload.resumeFromPreviousUpload(previous)
  upload.start()
})

onClick('pause', async () => {
  await upload?.abort()
  showState('paused')
})

onClick('resume', () => upload?.start())

onClick('cancel', async () => {
  // true: the server removes what it has of it.
  await upload?.abort(true)
  showState('cancelled')
})
