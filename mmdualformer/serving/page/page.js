'use strict';

const LONGEST_RECORDING = 10; // seconds
const TICK = 400; // milliseconds between two looks at how far the server is
const COLOURS = 8;

const byId = (id) => document.getElementById(id);
let limits = null;
let current = null; // the video that is shown: {file, name}
let running = null; // the request for it
let address = null; // of the video in the player

function make(tag, classes, text) {
  const element = document.createElement(tag);
  element.className = classes;
  if (text !== undefined) element.textContent = text;
  return element;
}

function percent(share) {
  return `${(100 * share).toFixed(share < 0.0995 || share > 0.995 ? 1 : 0)} %`;
}

function clock(seconds) {
  const tenths = Math.round(seconds * 10);
  const rest = String(Math.floor((tenths % 600) / 10)).padStart(2, '0');
  return `${Math.floor(tenths / 600)}:${rest}${tenths % 10 ? `.${tenths % 10}` : ''}`;
}

function fill(gauge, share) {
  gauge.style.width = `${Math.max(0, Math.min(100, 100 * share))}%`;
}

function say(text, share) {
  byId('working').hidden = false;
  fill(byId('share'), share);
  if (byId('status').textContent === text) return;
  byId('status').textContent = text;
  const plain = text.replace(/ \d+ %$/, '');
  if (byId('said').textContent !== plain) byId('said').textContent = plain;
}

function showError(text) {
  byId('error').hidden = !text;
  byId('error').textContent = text;
}

function quiet() {
  byId('working').hidden = true;
  byId('said').textContent = '';
}

async function learn() {
  try {
    const [health, taken] = await Promise.all(['health', 'limits'].map(async (name) => (await fetch(name)).json()));
    limits = taken;
    byId('explain').parentElement.hidden = !health.explains;
    byId('model').textContent = `${health.model} · ${health.classes} classes`;
    const length = taken.max_seconds < 120 ? `${taken.max_seconds} s` : `${Math.floor(taken.max_seconds / 60)} min`;
    byId('limits').textContent = `Up to ${Math.floor(taken.max_size / 2 ** 20)} MiB and ${length}. ` +
      `A video of more than ${taken.long_seconds} s gets a time line.`;
  } catch {
    showError('The server does not answer. Is it still running?');
  }
}

/* ---- sending ---- */

function finish(mine) {
  clearInterval(mine.timer);
  if (running === mine) running = null;
  quiet();
}

function stop() {
  if (!running) return;
  running.request.abort();
  finish(running);
}

function send(file, name) {
  stop();
  showError('');
  byId('result').hidden = true;
  current = { file, name };
  if (!file.size) return showError(`“${name}” is empty.`);
  if (limits && file.size > limits.max_size) {
    return showError(`“${name}” has ${Math.ceil(file.size / 2 ** 20)} MiB. ` +
      `This server takes up to ${Math.floor(limits.max_size / 2 ** 20)} MiB.`);
  }
  const form = new FormData();
  form.append('video', file, name);
  const ticket = [...crypto.getRandomValues(new Uint8Array(16))].map((n) => n.toString(16).padStart(2, '0')).join('');
  const options = new URLSearchParams();
  if (byId('explain').checked) options.set('explain', '1');
  if (byId('segments').checked) options.set('segments', '1');
  const request = new XMLHttpRequest();
  const mine = { request, timer: 0 };
  running = mine;
  request.open('POST', `recognize?${options}`);
  request.setRequestHeader('X-Ticket', ticket);
  request.responseType = 'json';
  request.upload.onprogress = (event) => {
    if (event.lengthComputable) say(`Uploading ${Math.round((100 * event.loaded) / event.total)} %`, event.loaded / event.total);
  };
  request.upload.onload = () => {
    mine.timer = setInterval(() => follow(ticket, mine), TICK);
  };
  request.onload = () => {
    finish(mine);
    const answer = request.response;
    if (request.status === 200 && answer) return show(answer, file);
    showError(answer?.error ? sentence(answer.error) : `The server answered with status ${request.status}.`);
  };
  request.onerror = () => {
    finish(mine);
    showError('The server cannot be reached, or has broken off. Is it still running?');
  };
  say('Uploading', 0);
  request.send(form);
}

function sentence(text) {
  return `${text[0].toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? '' : '.'}`;
}

async function follow(ticket, mine) {
  try {
    const answer = await fetch(`progress?ticket=${ticket}`);
    if (!answer.ok || running !== mine) return;
    const { state, before, done } = await answer.json();
    if (running !== mine) return;
    if (state === 'waiting') say(before ? `Waiting: ${before} more before this one` : 'Waiting: this one is next', 0);
    else if (state === 'reading') say('Reading the video', 0);
    else if (state === 'recognizing') say(done ? `Recognizing ${Math.round(100 * done)} %` : 'Recognizing', done);
    else if (state === 'explaining') say('Explaining', 1);
  } catch {
    // the answer of the upload itself says what is wrong
  }
}

/* ---- the answer ---- */

function show(answer, file) {
  const best = answer.several ? answer.names.filter((_, i) => answer.scores[i] >= 0.5) : answer.names.slice(0, 1);
  byId('answer').textContent = best.length ? best.join(', ') : 'No class reaches 50 %';
  byId('source').textContent = `${answer.source} · ${clock(answer.end)}${answer.segments ? ' · as a whole' : ''}`;
  byId('damage').hidden = !answer.damage;
  byId('damage').textContent = `The file is damaged, and was read as far as it can be: ${answer.damage}`;
  byId('bars').replaceChildren(...answer.names.map((name, i) => {
    const score = answer.scores[i];
    const line = make('li', (answer.several ? score >= 0.5 : i === 0) ? 'best' : '');
    const gauge = make('span', 'gauge');
    gauge.ariaHidden = 'true';
    fill(gauge.appendChild(make('b', '')), score);
    line.append(make('span', 'name', name), make('span', 'percent', percent(score)), gauge);
    return line;
  }));
  play(file);
  showParts(answer.segments, answer.end);
  showExplanation(answer.explanation);
  byId('result').hidden = false;
  byId('result').focus({ preventScroll: true });
  byId('result').scrollIntoView({ behavior: 'smooth', block: 'nearest' });
}

function play(file) {
  const player = byId('player');
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(file);
  player.hidden = false;
  byId('unplayable').hidden = true;
  player.src = address;
}

function showParts(segments, end) {
  byId('timeline').hidden = !segments;
  if (!segments) return;
  const names = [...new Set(segments.map((part) => part.name))];
  const colour = (part) => `k${names.indexOf(part.name) % COLOURS}`;
  const seek = (part) => {
    byId('player').currentTime = part.start;
    byId('player').play().catch(() => {});
  };
  const blocks = segments.map((part) => {
    const share = (part.end - part.start) / end;
    const block = make('button', colour(part), share > 0.06 ? part.name : '');
    block.type = 'button';
    block.title = `${part.name}, ${clock(part.start)} to ${clock(part.end)}, ${percent(part.score)}`;
    block.tabIndex = -1; // the list below has the same for keyboards
    block.ariaHidden = 'true';
    block.style.left = `${(100 * part.start) / end}%`;
    block.style.width = `${100 * share}%`;
    block.onclick = () => seek(part);
    return block;
  });
  byId('track').replaceChildren(byId('now'), ...blocks);
  byId('parts').replaceChildren(...segments.map((part) => {
    const line = document.createElement('li');
    const button = make('button', `button small ${colour(part)}`, `${clock(part.start)} – ${clock(part.end)} ${part.name} ${percent(part.score)}`);
    button.type = 'button';
    button.onclick = () => seek(part);
    line.append(button);
    return line;
  }));
  byId('end').textContent = clock(end);
  byId('nothing').hidden = segments.length > 0;
  byId('player').ontimeupdate = () => {
    byId('now').style.left = `${Math.min(100, (100 * byId('player').currentTime) / end)}%`;
  };
}

function showExplanation(explanation) {
  byId('explanation').hidden = !explanation;
  if (!explanation) return;
  const what = explanation.method === 'attention'
    ? 'Where the attention of the model lies, for all classes alike'
    : `What speaks for “${explanation.name}” (Grad-CAM)`;
  const view = explanation.views > 1 ? ` It is the middle one of ${explanation.views} views.` : '';
  byId('explained').textContent = `${what}: from blue for the least to red for the most.${view}`;
  byId('film').replaceChildren(...explanation.frames.map((frame) => {
    const figure = document.createElement('figure');
    const image = document.createElement('img');
    const words = frame.time === null ? `frame ${frame.number}` : `${frame.time.toFixed(1)} s`;
    image.src = frame.image;
    image.alt = `heat map, ${words}`;
    figure.append(image, make('figcaption', '', words));
    return figure;
  }));
}

/* ---- the camera ---- */

let camera = null; // {stream, recorder}

const CAMERA_ERRORS = {
  NotAllowedError: 'The browser does not let this page use the camera.',
  NotFoundError: 'This machine has no camera.',
  NotReadableError: 'The camera is in use by another program.',
};

async function openCamera() {
  showError('');
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 640 } }, audio: false });
    camera = { stream, recorder: null };
    byId('preview').srcObject = stream;
    byId('camera').hidden = false;
    await byId('preview').play();
    byId('take').focus();
  } catch (error) {
    closeCamera();
    showError(CAMERA_ERRORS[error.name] ?? `The camera cannot be used: ${error.message}`);
  }
}

function closeCamera() {
  byId('camera').hidden = true;
  if (!camera) return;
  const { stream, recorder } = camera;
  camera = null;
  if (recorder?.state === 'recording') {
    recorder.onstop = null;
    recorder.stop();
  }
  clearInterval(recorder?.timer);
  stream.getTracks().forEach((track) => track.stop());
  byId('preview').srcObject = null;
  byId('take').textContent = 'Start';
  byId('recorded').textContent = '';
}

function take() {
  if (camera.recorder?.state === 'recording') {
    camera.recorder.stop();
    return;
  }
  const recorder = new MediaRecorder(camera.stream);
  const pieces = [];
  const began = performance.now();
  camera.recorder = recorder;
  recorder.ondataavailable = (event) => pieces.push(event.data);
  recorder.onstop = () => {
    const kind = recorder.mimeType.split(';')[0] || 'video/webm';
    closeCamera();
    send(new Blob(pieces, { type: kind }), `recording.${kind.split('/')[1]}`);
  };
  recorder.start();
  byId('take').textContent = 'Stop and recognize';
  recorder.timer = setInterval(() => {
    const seconds = (performance.now() - began) / 1000;
    byId('recorded').textContent = `${seconds.toFixed(1)} s of at most ${LONGEST_RECORDING}`;
    if (seconds >= LONGEST_RECORDING && recorder.state === 'recording') recorder.stop();
  }, 100);
}

/* ---- what the visitor does ---- */

byId('file').onchange = () => {
  const [file] = byId('file').files;
  byId('file').value = ''; // the same one may be chosen again
  if (file) send(file, file.name);
};
byId('cancel').onclick = stop;
for (const name of ['explain', 'segments']) {
  byId(name).onchange = () => current && send(current.file, current.name);
}
byId('player').onerror = () => {
  byId('player').hidden = true;
  byId('unplayable').hidden = false;
};

let depth = 0; // of the elements that a file is dragged over
addEventListener('dragenter', (event) => {
  event.preventDefault();
  depth += 1;
  byId('drop').classList.add('over');
});
addEventListener('dragleave', () => {
  depth -= 1;
  if (!depth) byId('drop').classList.remove('over');
});
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  depth = 0;
  byId('drop').classList.remove('over');
  const files = event.dataTransfer?.files ?? [];
  if (files.length > 1) showError('Drop one video at a time.');
  else if (files.length) send(files[0], files[0].name);
});

if (navigator.mediaDevices?.getUserMedia && window.MediaRecorder) {
  byId('open-camera').hidden = false;
  byId('open-camera').onclick = openCamera;
  byId('take').onclick = take;
  byId('close-camera').onclick = closeCamera;
}
byId('curl').textContent = `curl -F video=@clip.mp4 ${new URL('recognize', location.href)}`;
learn();
