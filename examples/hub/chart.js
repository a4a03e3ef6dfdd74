/** The prices of the last minute, as a line. Where something is missing it is broken, and what is between is marked. */

const WINDOW_MS = 60_000;
/** A tab in the background draws nothing, and must not grow for that. */
const POINTS_MAX = 5_000;
const MARGIN = 8;

export class Chart {
	#canvas;
	/** The oldest first: when it was published, the price, and whether something is missing in front of it. */
	#points = [];
	#breaks = false;
	#isDrawing = false;

	constructor(canvas) {
		this.#canvas = canvas;
	}

	add(at, price) {
		this.#points.push({ at, price, isBroken: this.#breaks });
		this.#breaks = false;
		if (this.#points.length > POINTS_MAX) this.#points.splice(0, this.#points.length - POINTS_MAX);
		if (this.#isDrawing) return;
		this.#isDrawing = true;
		requestAnimationFrame(() => this.#draw());
	}

	/** Something is missing in front of the next point. */
	break() {
		this.#breaks = true;
	}

	#draw() {
		this.#isDrawing = false;
		const canvas = this.#canvas;
		const { clientWidth: width, clientHeight: height } = canvas;
		canvas.width = width * devicePixelRatio;
		canvas.height = height * devicePixelRatio;
		const pen = canvas.getContext("2d");
		pen.scale(devicePixelRatio, devicePixelRatio);
		const until = this.#points.at(-1).at;
		const points = this.#points.filter(({ at }) => at > until - WINDOW_MS);
		const spanMs = until - points[0].at || 1;
		const prices = points.map(({ price }) => price);
		const [low, high] = [Math.min(...prices), Math.max(...prices)];
		const x = ({ at }) => width - ((until - at) / spanMs) * width;
		const y = ({ price }) => height - MARGIN - ((price - low) / (high - low || 1)) * (height - 2 * MARGIN);
		const style = getComputedStyle(canvas);
		pen.fillStyle = style.getPropertyValue("--gap");
		for (const [index, point] of points.entries())
			if (point.isBroken) {
				const from = index === 0 ? 0 : x(points[index - 1]);
				pen.fillRect(from, 0, Math.max(2, x(point) - from), height);
			}
		pen.strokeStyle = style.getPropertyValue("--price");
		pen.lineWidth = 1.5;
		pen.beginPath();
		for (const [index, point] of points.entries())
			if (index === 0 || point.isBroken) pen.moveTo(x(point), y(point));
			else pen.lineTo(x(point), y(point));
		pen.stroke();
	}
}
