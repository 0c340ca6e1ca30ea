"""Which backbone, frozen how deep, tuned how, generalizes best - and is that difference real?"""
