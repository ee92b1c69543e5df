from django import forms
from django.template.loader import render_to_string


class Form(forms.Form):
    email = forms.EmailField(
        help_text="For the receipt.", widget=forms.EmailInput({"autocomplete": "email"})
    )
    company = forms.CharField(required=False)


def field(form: Form, name: str) -> str:
    return render_to_string("components/field.html", {"field": form[name]})


def test_error_and_hint_are_tied_to_their_field() -> None:
    html = field(Form({"email": "nowhere"}), "email")

    assert 'aria-describedby="id_email_helptext id_email_error"' in html
    assert 'aria-invalid="true"' in html
    assert 'id="id_email_helptext">For the receipt.</div>' in html
    assert 'id="id_email_error">Enter a valid email address.</div>' in html


def test_field_keeps_its_label_and_what_the_browser_may_fill_in() -> None:
    html = field(Form(), "email")

    assert '<label class="field__label" for="id_email">Email</label>' in html
    assert 'autocomplete="email"' in html
    assert "error" not in html


def test_field_that_may_stay_empty_says_so() -> None:
    assert "(optional)" in field(Form(), "company")


def test_page_of_our_own_failure_needs_nothing_from_the_request() -> None:
    # Django renders it without a context, as the failure may lie in making one.
    assert "Something went wrong on our side" in render_to_string("500.html")
