// Files on their way to a server, in parts that are gone on with when the line breaks.
import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useRef, useState } from 'react';
import { DetailedError, Upload } from 'tus-js-client';
import { filesKey } from '@/api/fileQueries';
import { errorFromBody } from '@/api/errors';
import { currentOrganization, renewSession } from '@/api/session';
import { speed, type Progress } from './files';

export type UploadState = 'waiting' | 'sending' | 'paused' | 'done' | 'failed';

export interface FileUpload {
  id: number;
  name: string;
  directory: string;
  size: number;
  sent: number;
  /** Bytes per second. */
  speed: number | null;
  state: UploadState;
  /** Why it failed. */
  problem?: string;
  /** There is a file of that name. */
  exists?: boolean;
}

/** At the same time; the others wait. */
const AT_ONCE = 3;
/** What is lost when the line breaks, at most. */
const PART = 16 * 1024 * 1024;
const RETRY_MS = [500, 1_000, 3_000, 5_000, 10_000, 20_000];
/** Reports that the speed is told by. */
const REPORTS = 12;
const MAX_REFUSAL = 499;

interface Kept {
  file: File;
  upload?: Upload;
  reports: Progress[];
}

let last = 0;

export function useUploads(instanceId: string) {
  const client = useQueryClient();
  const [uploads, setUploads] = useState<FileUpload[]>([]);
  const kept = useRef(new Map<number, Kept>());
  const change = (id: number, change: Partial<FileUpload>) =>
    setUploads((all) => all.map((one) => (one.id === id ? { ...one, ...change } : one)));

  useEffect(() => {
    const running = kept.current;
    return () => running.forEach(({ upload }) => void upload?.abort());
  }, []);

  const sending = uploads.filter(({ state }) => state === 'sending').length;
  const next = uploads.find(({ state }) => state === 'waiting');
  useEffect(() => {
    if (next && sending < AT_ONCE) begin(next, false);
    // It begins by its state alone.
    // eslint-disable-next-line react-hooks/exhaustive-deps
  }, [next?.id, sending]);

  function begin(one: FileUpload, overwrite: boolean) {
    const own = kept.current.get(one.id);
    if (!own) return;
    const query = new URLSearchParams({ path: one.directory, ...(overwrite && { overwrite: 'true' }) });
    own.upload = new Upload(own.file, {
      endpoint: `${window.location.origin}/api/instances/${instanceId}/files/tus?${query}`,
      metadata: { filename: one.name },
      chunkSize: PART,
      retryDelays: RETRY_MS,
      storeFingerprintForResuming: false,
      removeFingerprintOnSuccess: true,
      headers: organizationHeader(),
      onShouldRetry: (error) => {
        const status = error.originalResponse?.getStatus() ?? 0;
        // Another part of it may still be on its way out of a broken line.
        return status === 0 || status === 401 || status === 409 || status === 429 || status > MAX_REFUSAL;
      },
      onAfterResponse: async (_, response) => {
        if (response.getStatus() === 401) await renewSession();
      },
      onProgress: (sent) => {
        own.reports = [...own.reports.slice(1 - REPORTS), { at: Date.now(), sent }];
        change(one.id, { sent, speed: speed(own.reports) });
      },
      onSuccess: () => {
        change(one.id, { state: 'done', sent: one.size });
        void client.invalidateQueries({ queryKey: filesKey(instanceId) });
      },
      onError: (error) => change(one.id, { state: 'failed', ...told(error) }),
    });
    own.reports = [];
    change(one.id, { state: 'sending', problem: undefined, exists: undefined });
    own.upload.start();
  }

  return {
    uploads,
    add(files: File[], directory: string) {
      const added = files.map((file): FileUpload => {
        last += 1;
        kept.current.set(last, { file, reports: [] });
        return { id: last, name: file.name, directory, size: file.size, sent: 0, speed: null, state: 'waiting' };
      });
      setUploads((all) => [...all.filter(({ state }) => state !== 'done'), ...added]);
    },
    pause(id: number) {
      void kept.current.get(id)?.upload?.abort();
      change(id, { state: 'paused', speed: null });
    },
    resume(id: number) {
      const own = kept.current.get(id);
      if (!own?.upload) return;
      own.reports = [];
      change(id, { state: 'sending', problem: undefined });
      own.upload.start();
    },
    overwrite(one: FileUpload) {
      begin(one, true);
    },
    /** What has come of it is forgotten on the server, too. */
    remove(id: number) {
      const own = kept.current.get(id);
      kept.current.delete(id);
      setUploads((all) => all.filter((one) => one.id !== id));
      // An upload that is done has no place any more that could be given up.
      void own?.upload?.abort(own.upload.url !== null).catch(() => undefined);
    },
  };
}

function organizationHeader(): Record<string, string> {
  const organization = currentOrganization();
  return organization ? { 'X-Org-Slug': organization } : {};
}

function told(error: Error | DetailedError): Pick<FileUpload, 'problem' | 'exists'> {
  const response = error instanceof DetailedError ? error.originalResponse : null;
  if (!response) return { problem: 'The controller does not answer. What has come is kept for a day.' };
  let body: unknown;
  try {
    body = JSON.parse(response.getBody());
  } catch {
    body = undefined;
  }
  const { code, message } = errorFromBody(response.getStatus(), body);
  return { problem: message, exists: code === 'file_exists' };
}
