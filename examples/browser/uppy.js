// The same with Uppy, without its user interface. It looks for earlier uploads of a file by itself.
import Uppy from '@uppy/core'
import Tus from '@uppy/tus'
import { onClick, onFile, retryDelays, settings, showDownload, showError, showProgress, showState } from './page.js'

const uppy = new Uppy()

onFile((file) => {
  uppy.clear()
  uppy.addFile({ name: file.name, type: file.type, data: file })
})

uppy.on('upload-progress', (file, { bytesUploaded, bytesTotal }) => showProgress(bytesUploaded, bytesTotal))
uppy.on('upload-success', (file, { uploadURL }) => showDownload(uploadURL, file.name))
uppy.on('upload-error', (file, error, response) => {
  showError(error, response?.status, response?.body?.xhr?.responseText)
})

onClick('start', () => {
  if (uppy.getPlugin('Tus')) uppy.removePlugin(uppy.getPlugin('Tus'))
  uppy.use(Tus, {
    endpoint: settings.endpoint,
    parallelUploads: settings.parallelUploads,
    retryDelays,
    removeFingerprintOnSuccess: true,
  })
  uppy.upload()
})

onClick('pause', () => {
  uppy.pauseAll()
  showState('paused')
})

onClick('resume', () => uppy.resumeAll())

onClick('cancel', () => {
  // The server removes what it has of it.
  uppy.cancelAll()
  showState('cancelled')
})
