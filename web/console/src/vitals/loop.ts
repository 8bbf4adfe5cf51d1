/** The one loop of animation frames that every curve on the page is drawn in. */

type Draw = (now: number) => void;

const drawn = new Set<Draw>();
let isRunning = false;
let countedSince = 0;
let frames = 0;

/** Call back for each frame of the screen; what it returns ends that. The loop runs while there is somebody to call. */
export function eachFrame(draw: Draw): () => void {
  drawn.add(draw);
  if (!isRunning) {
    isRunning = true;
    countedSince = performance.now();
    frames = 0;
    requestAnimationFrame(run);
  }
  return () => drawn.delete(draw);
}

function run(now: number): void {
  if (drawn.size === 0) {
    isRunning = false;
    delete document.documentElement.dataset.fps;
    delete document.documentElement.dataset.curves;
    return;
  }
  // Asked for first: what one curve throws must not leave all of them standing still, looking like signals.
  requestAnimationFrame(run);
  for (const draw of drawn) draw(now);
  count(now);
}

/** Says once a second how many frames were drawn in it, and how many curves each had: for tests and for bug reports. */
function count(now: number): void {
  frames++;
  if (now - countedSince < 1000) return;
  document.documentElement.dataset.fps = String(Math.round((frames * 1000) / (now - countedSince)));
  document.documentElement.dataset.curves = String(drawn.size);
  countedSince = now;
  frames = 0;
}
